import { z } from 'zod';
import type { AnswerSample } from '../config/answer-sample.js';
import type { ChatMessage } from '../config/chat-message.js';
import { JsonLinesFile, readJsonLinesFile } from '../files/json-lines-file.js';
import type { Verdict } from '../verify/verifier.js';

/** An answer with its verdict; `system` is 'baseline', 'cycle 1', 'evaluation 1' or 'final'. */
export interface RaftSample extends AnswerSample {
  prompt: string | readonly ChatMessage[];
  /** '' for a prompt that could not be answered. */
  output: string;
  promptTokens: number;
  generatedTokens: number;
  verdict: Verdict;
}

const WHAT = 'samples';

const schema = z.object({
  index: z.int(),
  sample: z.int(),
  output: z.string(),
  finishReason: z.string(),
  promptTokens: z.int(),
  generatedTokens: z.int(),
  verdict: z.object({
    passed: z.boolean(),
    score: z.number(),
    compiled: z.boolean().nullable(),
    detail: z.string(),
  }),
});
const isSample = (row: unknown): boolean => schema.safeParse(row).success;

/** Opens a file of samples, with those that an earlier call has written. */
export const openSamples = (path: string): JsonLinesFile<RaftSample> =>
  new JsonLinesFile(path, WHAT, isSample);

/** Reads a file of samples; none if there is no file. */
export const readSamples = (path: string): RaftSample[] => readJsonLinesFile(path, WHAT, isSample);

/** The order of a complete file: by prompt and then by sample. */
export const byPromptAndSample = (a: RaftSample, b: RaftSample): number =>
  a.index - b.index || a.sample - b.sample;
