import type { TemplateMessage } from '../config/chat-message.js';
import { chatMessageSchema } from '../config/chat-message.js';
import { type DatasetRow, type ParsedRow, toolsSchema } from '../config/dataset-row.js';
import type { EvaluateConfig } from '../config/evaluate.js';
import { describeValue, isPresent } from '../config/parse.js';
import { ROW_ERRORS, rowSources, type SourceRow } from '../data/dataset-rows.js';
import { pacer } from '../data/pause.js';
import { parseRow } from '../data/rows.js';
import { LlamatuneError } from '../errors.js';

/** What a model is asked: a text to continue, or a conversation to answer. */
export type EvaluationPrompt =
  | string
  | { messages: readonly TemplateMessage[]; tools: readonly unknown[] | null };

/** A row in a form that training accepts, and which of its tokens are targets. */
export interface TargetRow {
  row: DatasetRow;
  loss: 'all' | 'last-assistant';
}

/** A text as the answer to a prompt. A space separates it from a prompt that is a text. */
export function continuation(prompt: EvaluationPrompt, text: string): TargetRow {
  if (typeof prompt === 'string') {
    const completion = prompt === '' || /\s$/u.test(prompt) ? text : ` ${text}`;
    return { row: { prompt, completion }, loss: 'last-assistant' };
  }
  const messages = [...prompt.messages, { role: 'assistant', content: text }];
  return { row: { messages, tools: prompt.tools }, loss: 'last-assistant' };
}

/** A row of the dataset in the form that tasks use. */
export interface EvaluationRow {
  /** Position in the dataset, from 0. */
  index: number;
  /** 'validation.jsonl:17' */
  where: string;
  /** The column that identifies it in recorded outputs; null if it has none. */
  id: string | null;
  /** null for a text without answerMarker and for tokens. */
  prompt: EvaluationPrompt | null;
  /** The possible right answers; empty if the row has none. */
  references: readonly string[];
  /** What a model should find likely: the first reference after the prompt, or the whole row. null without a reference. */
  target: TargetRow | null;
  /** The row as the dataset has it. */
  row: unknown;
}

/** A row that no system is asked, and why. */
export interface BadRow {
  index: number;
  where: string;
  message: string;
}

export interface EvaluationRows {
  rows: EvaluationRow[];
  badRows: BadRow[];
}

type RowConfig = Pick<
  EvaluateConfig,
  'dataset' | 'answerMarker' | 'referenceField' | 'idField' | 'maxRows' | 'badRows' | 'signal'
>;

/**
 * Reads the rows of a dataset.
 *
 * @param check throws DATASET_INVALID_ROW for a row that a task cannot use
 * @throws LlamatuneError DATASET_INVALID_ROW, EVALUATION_NO_ROWS, and what reading a dataset throws
 */
export async function readEvaluationRows(
  config: RowConfig,
  check: (row: EvaluationRow) => void,
): Promise<EvaluationRows> {
  const rows: EvaluationRow[] = [];
  const badRows: BadRow[] = [];
  const most = config.maxRows ?? Number.POSITIVE_INFINITY;
  const pace = pacer(config.signal);
  let index = 0;
  for (const source of rowSources(config.dataset)) {
    for await (const given of source.rows) {
      if (index >= most) break;
      await pace();
      try {
        const row = evaluationRow(given, index, config);
        check(row);
        rows.push(row);
      } catch (error) {
        if (!(error instanceof LlamatuneError) || !ROW_ERRORS.has(error.code)) throw error;
        if (config.badRows === 'error') throw error;
        badRows.push({
          index,
          where: given.where,
          message: error.message.replace(`${given.where}: `, ''),
        });
      }
      index += 1;
    }
    if (index >= most) break;
  }
  if (rows.length === 0) throw noRows(badRows);
  return { rows, badRows };
}

function noRows(badRows: readonly BadRow[]): LlamatuneError {
  const first = badRows[0]!;
  return new LlamatuneError(
    'EVALUATION_NO_ROWS',
    `none of ${badRows.length} rows can be evaluated; the first one, ${first.where}: ${first.message}`,
    { hint: 'correct the dataset, or use tasks that its rows suit' },
  );
}

function evaluationRow({ row, where }: SourceRow, index: number, config: RowConfig): EvaluationRow {
  const columns = (typeof row === 'object' && row !== null ? row : {}) as Record<string, unknown>;
  const id = columns[config.idField];
  const parts = isPromptOnly(columns)
    ? { prompt: promptOf(columns, where), reference: null, target: null }
    : promptAndReference(parseRow(row, where), config.answerMarker, where);
  const hasId = typeof id === 'string' || typeof id === 'number';
  const common = { index, where, id: hasId ? String(id) : null, prompt: parts.prompt, row };
  if (config.referenceField === undefined) {
    const references = parts.reference === null ? [] : [parts.reference];
    return { ...common, references, target: parts.target };
  }
  const references = referencesOf(columns, config.referenceField, where);
  const [first] = references;
  const target = parts.prompt === null || !first ? null : continuation(parts.prompt, first);
  return { ...common, references, target };
}

/** A prompt without an answer, as generate() accepts it, which is not a row to train on. */
const isPromptOnly = ({ prompt, completion, messages }: Record<string, unknown>): boolean =>
  isPresent(prompt) && !isPresent(completion) && !isPresent(messages);

function promptOf({ prompt, tools }: Record<string, unknown>, where: string): EvaluationPrompt {
  if (typeof prompt === 'string' && prompt !== '') return prompt;
  const messages = chatMessageSchema.array().min(1).safeParse(prompt);
  const parsedTools = toolsSchema.safeParse(tools);
  if (messages.success && parsedTools.success)
    return { messages: messages.data, tools: parsedTools.data };
  const received = messages.success
    ? `wrong tools: ${describeValue(tools)}`
    : describeValue(prompt);
  throw invalidRow(where, `expected a prompt as text or messages but received ${received}`);
}

type PromptAndReference = Pick<EvaluationRow, 'prompt' | 'target'> & { reference: string | null };

function promptAndReference(
  row: ParsedRow,
  marker: string | undefined,
  where: string,
): PromptAndReference {
  switch (row.kind) {
    case 'chat':
      return splitChat(row, where);
    case 'completion':
      return completion(row.prompt, row.completion);
    case 'text':
      return splitText(row.text, marker, where);
    case 'tokens':
      return { prompt: null, reference: null, target: { row, loss: 'all' } };
  }
}

const completion = (prompt: string, text: string): PromptAndReference => ({
  prompt,
  reference: text.trim(),
  target: text === '' ? null : { row: { prompt, completion: text }, loss: 'last-assistant' },
});

function splitChat(row: Extract<ParsedRow, { kind: 'chat' }>, where: string): PromptAndReference {
  const last = row.messages.at(-1)!;
  const isAnswered = last.role === 'assistant';
  const messages = isAnswered ? row.messages.slice(0, -1) : row.messages;
  if (messages.length === 0)
    throw invalidRow(where, 'expected messages before the answer but received none');
  const prompt = { messages, tools: row.tools };
  if (!isAnswered) return { prompt, reference: null, target: null };
  const { weight: _, train: __, ...answer } = last;
  return {
    prompt,
    reference: last.content ?? '',
    target: { row: { messages: [...messages, answer], tools: row.tools }, loss: 'last-assistant' },
  };
}

function splitText(text: string, marker: string | undefined, where: string): PromptAndReference {
  if (marker === undefined)
    return { prompt: null, reference: null, target: { row: { text }, loss: 'all' } };
  const at = text.lastIndexOf(marker);
  if (at < 0)
    throw invalidRow(
      where,
      `expected a text with the answerMarker ${JSON.stringify(marker)} but received ${describeValue(text)}`,
    );
  const end = at + marker.length;
  return completion(text.slice(0, end), text.slice(end));
}

function referencesOf(row: Record<string, unknown>, column: string, where: string): string[] {
  const value = row[column];
  const texts = Array.isArray(value) ? value : [value];
  if (texts.length > 0 && texts.every((text): text is string => typeof text === 'string'))
    return texts;
  const message = `${column}: expected a text or a list of texts but received ${describeValue(value)}`;
  throw invalidRow(where, message);
}

export const invalidRow = (where: string, message: string): LlamatuneError =>
  new LlamatuneError('DATASET_INVALID_ROW', `${where}: ${message}`, {
    hint: "correct the row, or leave such rows out with badRows 'skip'",
  });
