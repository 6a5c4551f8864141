import type { ChatMessage } from '../config/chat-message.js';
import { GrowingFile, readGrowingFile } from '../files/growing-file.js';
import type { Verdict } from '../verify/verifier.js';

/** An answer with its verdict: a line of a file of samples. */
export interface RaftSample {
  /** Position of the prompt, from 0. */
  index: number;
  /** Answer to the prompt, from 0. */
  sample: number;
  /** 'baseline', 'cycle 1', 'evaluation 1' or 'final'. */
  system: string;
  prompt: string | readonly ChatMessage[];
  /** The expected answer; null if there is none. */
  reference: string | null;
  output: string;
  /** Scores by name of the verifier. */
  scores: Record<string, number>;
  finishReason: 'eos' | 'stop' | 'length' | 'error';
  promptTokens: number;
  generatedTokens: number;
  verdict: Verdict;
}

const WHAT = 'samples';

/** Opens a file of samples, with those that an earlier call has written. */
export const openSamples = (path: string): GrowingFile<RaftSample> => new GrowingFile(path, WHAT);

/** Reads a file of samples; none if there is no file. */
export const readSamples = (path: string): RaftSample[] => readGrowingFile(path, WHAT);

/** The order of a complete file: by prompt and then by sample. */
export const byPromptAndSample = (a: RaftSample, b: RaftSample): number =>
  a.index - b.index || a.sample - b.sample;
