// What a suite measures of inference, and the use of experts.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { tinyModel } from './tiny-model.js';

// Trials run in separate processes, which need JavaScript: the build, not the sources.
const build = new URL('../../dist/index.js', import.meta.url).href;
const { renderReport, runSuite } = (await import(build)) as typeof import('../../src/index.js');

const folder = mkdtempSync(join(tmpdir(), 'suite-inference-test-'));
const modelCache = join(folder, 'models');
let model: string;
beforeAll(async () => {
  model = await tinyModel();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('sweeps flash attention, and measures the first token of several answers', async () => {
  const options = { maxTokens: 8, threads: 1 };
  const { trials } = await runSuite({
    modelCache,
    suite: {
      name: 'inference',
      models: [model],
      measurePeak: false,
      benchmarks: [
        { task: 'inference', options, vary: { flashAttention: ['off', 'on'] } },
        { task: 'inference', id: 'samples', options, vary: { n: [1, 3] } },
      ],
    },
    output: join(folder, 'inference'),
  }).result;
  const used = trials.map(({ details }) => details.flashAttention);
  expect(used).toEqual([false, true, true, true]);
  for (const { measures } of trials) {
    expect(measures.timeToFirstToken!.samples).toHaveLength(5);
    expect(measures.timeToFirstToken!.min).toBeGreaterThan(0);
    expect(measures.peakMemory!.median).toBeGreaterThan(50e6);
  }
  expect(trials.map(({ details }) => details.generatedTokens)).toEqual([8, 8, 8, 24]);
});

it('counts experts of inference and training, and shows them in the report', async () => {
  const shape =
    'shape:qwen3-30b-a3b,layers=2,embeddingLength=64,heads=2,kvHeads=1,experts=4,expertsPerToken=2,expertFeedForwardLength=32,vocabularySize=512';
  const results = await runSuite({
    modelCache,
    suite: {
      name: 'experts',
      models: [shape],
      weightTypes: ['F16'],
      measurePeak: false,
      benchmarks: [
        {
          task: 'inference',
          runs: 2,
          options: { maxTokens: 8, threads: 1, expertStatistics: true },
        },
        {
          task: 'training',
          steps: 3,
          options: {
            sequenceLength: 32,
            batchSize: 2,
            threads: 1,
            expertStatistics: true,
          },
        },
      ],
    },
    output: join(folder, 'experts'),
  }).result;
  const totals = results.trials.map(({ experts }) =>
    experts!.map(({ counts }) => counts.reduce((total, count) => total + count, 0)),
  );
  // two experts per token: a prompt and 7 of 8 tokens, of one run; 4 steps of 2 rows of 32 tokens
  const { promptTokens } = results.trials[0]!.details;
  expect(totals).toEqual([
    [2 * ((promptTokens as number) + 7), 2 * 8],
    [2 * 4 * 64, 2 * 4 * 64],
  ]);
  const text = renderReport(results, { format: 'text' });
  expect(text.match(/Use of experts: /g)).toHaveLength(2);
});
