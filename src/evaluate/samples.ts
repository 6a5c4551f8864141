import type { TemplateMessage } from '../config/chat-message.js';
import type { EvaluationRow } from './rows.js';

/** How an answer ended; 'recorded': another program wrote it. */
export type SampleFinishReason = 'eos' | 'stop' | 'length' | 'recorded';

/** One answer of one system: a line of its file of samples. */
export interface EvaluationSample {
  /** Position of the row in the dataset, from 0. */
  index: number;
  /** Always 0: a system answers each row once. */
  sample: number;
  system: string;
  /** null for rows that have no prompt. */
  prompt: string | readonly TemplateMessage[] | null;
  /** null for rows without one. */
  reference: string | null;
  /** All references, if there are several. */
  references?: readonly string[];
  /** null if the system gave no answer, or if no task needs answers. */
  output: string | null;
  /** By name of the task. */
  scores: Record<string, number>;
  /** Labels of the answer by name of the classification; null if none was found. */
  labels?: Record<string, string | null>;
  /** null if there is no output. */
  finishReason: SampleFinishReason | null;
}

/** An answer before it is scored. */
export function newSample(
  { index, prompt, references }: EvaluationRow,
  system: string,
  output: string | null,
  finishReason: SampleFinishReason | null,
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
