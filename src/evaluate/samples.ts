import type { AnswerSample } from '../config/answer-sample.js';
import type { EvaluationRow } from './rows.js';

/** One answer of one system: a line of its file of samples. `sample` is 0, because a system answers each row once. */
export interface EvaluationSample extends AnswerSample {
  /** All references, if there are several. */
  references?: readonly string[];
  /** Labels of the answer by name of the classification; null if none was found. */
  labels?: Record<string, string | null>;
}

/** An answer before it is scored. */
export function newSample(
  { index, prompt, references }: EvaluationRow,
  system: string,
  output: string | null,
  finishReason: AnswerSample['finishReason'],
): EvaluationSample {
  return {
    index,
    sample: 0,
    system,
    prompt: typeof prompt === 'string' || prompt === null ? prompt : prompt.messages,
    reference: references[0] ?? null,
    ...(references.length > 1 ? { references } : {}),
    output,
    scores: {},
    finishReason,
  };
}
