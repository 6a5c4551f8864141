import { answerOptions, type EvaluateConfig } from '../config/evaluate.js';
import type { ModelHandle } from '../config/fields.js';
import { LlamatuneError } from '../errors.js';
import { generate } from '../generate/generate.js';
import type { GeneratedSequence } from '../generate/generate-many.js';
import type { EvaluationRow } from './rows.js';
import { type EvaluationSample, newSample } from './samples.js';

/** A row without an answer, and why. */
export interface MissingAnswer {
  index: number;
  reason: string;
}

/** The answers of one system. */
export interface SystemAnswers {
  samples: EvaluationSample[];
  missing: MissingAnswer[];
  /** null for recorded outputs. */
  generatedTokens: number | null;
  seconds: number | null;
}

interface AnswerControls {
  signal: AbortSignal;
  onAnswer: (sample: EvaluationSample) => void;
}

/**
 * The answers of a model to all rows.
 *
 * @throws LlamatuneError of generate(); that of the first answer if all of them failed
 */
export async function generateAnswers(
  system: EvaluateConfig['systems'][number] & { name: string },
  model: ModelHandle,
  rows: readonly EvaluationRow[],
  config: EvaluateConfig,
  { signal, onAnswer }: AnswerControls,
): Promise<SystemAnswers> {
  const { flashAttention, threads, parallel } = config;
  const run = generate({
    ...answerOptions(config),
    ...{ model, adapters: system.adapters, flashAttention, threads, signal },
    ...(system.chatTemplate === undefined ? {} : { chatTemplate: system.chatTemplate }),
    ...(parallel === undefined ? {} : { parallel }),
    prompts: rows.map(({ prompt }) => (typeof prompt === 'string' ? prompt : prompt!)),
  });
  const sampleOf = ({ promptIndex, text, finishReason, error }: GeneratedSequence) =>
    error === null
      ? newSample(
          rows[promptIndex]!,
          system.name,
          text,
          finishReason as EvaluationSample['finishReason'],
        )
      : newSample(rows[promptIndex]!, system.name, null, null);
  for await (const event of run)
    if (event.type === 'sequence' && event.error === null) onAnswer(sampleOf(event));
  const { sequences, generatedTokens, totalMs } = await run.result;
  const failed = sequences.filter(({ error }) => error !== null);
  if (failed.length === sequences.length) throw allFailed(system.name, failed);
  return {
    samples: sequences.map(sampleOf),
    missing: failed.map(({ promptIndex, error }) => ({
      index: rows[promptIndex]!.index,
      reason: error!.message,
    })),
    generatedTokens,
    seconds: totalMs / 1000,
  };
}

function allFailed(system: string, failed: readonly GeneratedSequence[]): LlamatuneError {
  const { code, message, hint } = failed[0]!.error!;
  return new LlamatuneError(
    code,
    `'${system}' failed on all ${failed.length} rows, on the first one with: ${message}`,
    { hint, cause: failed[0]!.error },
  );
}

/** Samples without answers, for tasks that only need the probabilities of texts. */
export const notAsked = (system: string, rows: readonly EvaluationRow[]): SystemAnswers => ({
  samples: rows.map((row) => newSample(row, system, null, null)),
  missing: [],
  generatedTokens: null,
  seconds: null,
});
