import { basename } from 'node:path';
import type { z } from 'zod';
import {
  checkPairSchema,
  type JudgeConfig,
  pairSchema,
  type SampleSource,
  sampleSchema,
} from '../config/judge.js';
import { problemsOf } from '../config/parse.js';
import { readRows } from '../data/readers.js';
import { LlamatuneError } from '../errors.js';
import { promptText } from './prompt.js';

/** Two answers of two systems to the same prompt. */
export interface AnswerPair {
  index: number;
  sample: number;
  prompt: string;
  reference: string | null;
  left: string;
  right: string;
}

/** A row with an answer of each system. */
export interface AnsweredRow extends Omit<AnswerPair, 'left' | 'right'> {
  /** By system; null for a system that gave no answer. */
  outputs: ReadonlyMap<string, string | null>;
}

/** The answers of all systems, by row and sample. */
export interface Answers {
  systems: string[];
  rows: AnsweredRow[];
}

/**
 * The answers that a judge compares.
 *
 * @throws LlamatuneError SAMPLES_INVALID, SAMPLES_MISMATCH, and what readRows() throws
 */
export async function readAnswers({ samples, pairs }: JudgeConfig): Promise<Answers> {
  if (samples !== undefined) return alignSystems(await readSystems(samples));
  const rows: AnsweredRow[] = [];
  for await (const { row } of checkedRows(pairs!, pairSchema, 'pairs')) {
    rows.push({
      index: rows.length,
      sample: 0,
      prompt: promptText(row.prompt),
      reference: row.reference ?? null,
      outputs: new Map([
        ['a', row.a],
        ['b', row.b],
      ]),
    });
  }
  if (rows.length === 0) throw invalid('pairs: there are no pairs', 'give at least one pair');
  return { systems: ['a', 'b'], rows };
}

/** The pairs with a known winner that the caller gives: the better answer is `left`. */
export async function readCheckPairs(
  source: Exclude<JudgeConfig['check'], 'auto' | 'none'>,
): Promise<AnswerPair[]> {
  const pairs: AnswerPair[] = [];
  for await (const { row, where } of checkedRows(source, checkPairSchema, 'check')) {
    if (row.better === row.worse) {
      throw invalid(
        `${where}: better and worse are the same text`,
        'correct the pair, or leave it out',
      );
    }
    pairs.push({
      index: pairs.length,
      sample: 0,
      prompt: promptText(row.prompt),
      reference: row.reference ?? null,
      left: row.better,
      right: row.worse,
    });
  }
  if (pairs.length === 0)
    throw invalid('check: there are no pairs', "give at least one pair, or check: 'none'");
  return pairs;
}

interface Sample {
  where: string;
  prompt: string | null;
  reference: string | null;
  output: string | null;
}

/** Answers of a system by row and sample. */
type System = Map<string, Sample>;

const keyOf = (index: number, sample: number): string => `${index}/${sample}`;
const nameOfKey = (key: string): string => {
  const [index, sample] = key.split('/');
  return `row ${index}, sample ${sample}`;
};

async function readSystems(sources: readonly SampleSource[]): Promise<Map<string, System>> {
  const systems = new Map<string, System>();
  for (const [i, source] of sources.entries()) {
    const [given, rows] =
      typeof source === 'string' ? [undefined, source] : [source.system, source.samples];
    for await (const { row, where } of checkedRows(rows, sampleSchema, `samples.${i}`)) {
      const system = given ?? row.system;
      if (!system) {
        throw invalid(
          `${where}: the answer has no system`,
          'name it: { system, samples }, or --samples name=path',
        );
      }
      const answers = systems.get(system) ?? new Map<string, Sample>();
      systems.set(system, answers);
      const key = keyOf(row.index, row.sample);
      const first = answers.get(key);
      if (first !== undefined) {
        throw invalid(
          `${where}: '${system}' has another answer for ${nameOfKey(key)}, at ${first.where}`,
          'give each file its own system name: { system, samples }, or --samples name=path',
        );
      }
      answers.set(key, {
        where,
        prompt: row.prompt === null || row.prompt === undefined ? null : promptText(row.prompt),
        reference: row.reference ?? null,
        output: row.finishReason === 'error' ? null : row.output,
      });
    }
  }
  return systems;
}

function alignSystems(systems: ReadonlyMap<string, System>): Answers {
  const names = [...systems.keys()];
  if (names.length < 2) {
    throw invalid(
      `a comparison needs two systems but there is ${names.length === 0 ? 'none' : `only '${names[0]}'`}`,
      'give the answers of another system',
    );
  }
  const keys = new Set([...systems.values()].flatMap((answers) => [...answers.keys()]));
  for (const [name, answers] of systems) {
    const missing = [...keys].filter((key) => !answers.has(key));
    if (missing.length > 0) {
      throw mismatch(
        `'${name}' has no answer for ${missing.length} of ${keys.size} rows and samples: ${missing.slice(0, 3).map(nameOfKey).join('; ')}`,
      );
    }
  }
  const rows = [...keys].map((key): AnsweredRow => {
    const [index, sample] = key.split('/').map(Number) as [number, number];
    const answers = names.map((name) => systems.get(name)!.get(key)!);
    const prompt = shared(answers, 'prompt', key);
    if (prompt === null)
      throw invalid(
        `${answers[0]!.where}: no system has the prompt of this row`,
        'add the prompt to the answers of at least one system',
      );
    return {
      index,
      sample,
      prompt,
      reference: shared(answers, 'reference', key),
      outputs: new Map(names.map((name, i) => [name, answers[i]!.output])),
    };
  });
  return {
    systems: names,
    rows: rows.sort((a, b) => a.index - b.index || a.sample - b.sample),
  };
}

/** What the systems that have this field agree on. */
function shared(
  answers: readonly Sample[],
  field: 'prompt' | 'reference',
  key: string,
): string | null {
  const given = answers.filter((answer) => answer[field] !== null);
  const other = given.find((answer) => answer[field] !== given[0]![field]);
  if (other === undefined) return given[0]?.[field] ?? null;
  throw mismatch(
    `the ${field}s of ${nameOfKey(key)} differ between ${given[0]!.where} and ${other.where}`,
  );
}

async function* checkedRows<S extends z.ZodType>(
  source: string | Iterable<unknown> | AsyncIterable<unknown>,
  schema: S,
  field: string,
): AsyncGenerator<{ row: z.output<S>; where: string }, void, undefined> {
  for await (const { row, where } of locatedRows(source, field)) {
    const parsed = schema.safeParse(row, { reportInput: true });
    if (!parsed.success) {
      const problems = parsed.error.issues.flatMap((issue) => problemsOf(issue, schema));
      throw invalid(
        `${where}: ${problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')}`,
        'docs/judging.md describes the fields',
      );
    }
    yield { row: parsed.data, where };
  }
}

async function* locatedRows(
  source: string | Iterable<unknown> | AsyncIterable<unknown>,
  field: string,
): AsyncGenerator<{ row: unknown; where: string }, void, undefined> {
  if (typeof source === 'string') {
    for await (const { row, line } of readRows(source))
      yield { row, where: `${basename(source)}:${line}` };
    return;
  }
  let i = 0;
  for await (const row of source) yield { row, where: `${field}[${i++}]` };
}

function invalid(message: string, hint: string): LlamatuneError {
  return new LlamatuneError('SAMPLES_INVALID', message, { hint });
}

function mismatch(message: string): LlamatuneError {
  return new LlamatuneError('SAMPLES_MISMATCH', message, {
    hint: 'give answers of all systems to the same rows of the same dataset',
  });
}
