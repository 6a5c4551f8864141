import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RaftOptions, RaftPrompt } from '../../src/index.js';
import { root } from './command-line.js';

/** The shipped model, which answers such questions right about every second time. */
export const model = join(root, 'models', 'tiny-chat-q8_0.gguf');

const question = (a: number, b: number): RaftPrompt => ({
  messages: [
    { role: 'system', content: 'Answer with one word.' },
    { role: 'user', content: `Which is larger, ${a} or ${b}?` },
  ],
  expected: Math.max(a, b),
});

const digits = [1, 2, 3, 4, 5, 6];
const questions = digits.flatMap((a) => digits.filter((b) => b > a).map((b) => question(a, b)));
export const trained = questions.filter((_, i) => i % 3 !== 0);
export const heldOut = questions.filter((_, i) => i % 3 === 0);

/** Options of a run of two cycles that takes seconds. Sampling is hot, so that answers differ. */
export const raftOptions = (output: string, more: Partial<RaftOptions> = {}): RaftOptions => ({
  model,
  prompts: trained,
  evaluation: { prompts: heldOut, samples: 3 },
  verifier: 'numeric',
  output,
  cycles: 2,
  samples: 4,
  generation: { temperature: 1.5, maxTokens: 12 },
  finetune: { epochs: 2, batchSize: 4, lora: { rank: 4 }, optimizer: { learningRate: 1e-3 } },
  threads: 2,
  ...more,
});

/** The files that a run decides, as base64: two runs with the same options have the same ones. */
export function decidedFiles(output: string, cycles = 2): Record<string, string> {
  const names = [
    ...['baseline_samples.jsonl', 'final_samples.jsonl', 'cycle_1/evaluation_samples.jsonl'],
    ...Array.from({ length: cycles }, (_, i) => `cycle_${i + 1}`).flatMap((cycle) => [
      ...[`${cycle}/samples.jsonl`, `${cycle}/kept.jsonl`, `${cycle}/checkpoint/adapter.gguf`],
    ]),
  ];
  return Object.fromEntries(
    names.map((name) => [name, readFileSync(join(output, name)).toString('base64')]),
  );
}
