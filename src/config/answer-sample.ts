import type { ChatMessage } from './chat-message.js';

/** An answer of a system: what evaluate() and raft() write as a line of a file of samples, and judge() reads. */
export interface AnswerSample {
  /** Position of the prompt or of the row of the dataset, from 0. */
  index: number;
  /** Answer to the prompt, from 0. */
  sample: number;
  /** Name of the system, or of the stage, that gave the answer. */
  system: string;
  /** null for rows that have no prompt. */
  prompt: string | readonly ChatMessage[] | null;
  /** The right answer; null if there is none. */
  reference: string | null;
  /** null if the system gave no answer, or was not asked. */
  output: string | null;
  /** By name of the task or of the verifier. */
  scores: Record<string, number>;
  /** How the answer ended: null without an answer, 'error' if it failed, 'recorded' if another program wrote it. */
  finishReason: 'eos' | 'stop' | 'length' | 'error' | 'recorded' | null;
}
