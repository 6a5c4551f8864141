// The memory of a preparation does not grow with the dataset.
import { beforeAll, expect, it } from 'vitest';
import { folderPerTest } from '../folder-per-test.js';
import { runNode } from './command-line.js';
import { tinyModel } from './tiny-model.js';

const at = folderPerTest();
let model: string;
beforeAll(async () => {
  model = await tinyModel();
});

/** @returns the peak of the resident memory of a process whose JavaScript objects may have 32 MB */
async function peakBytes(rows: number): Promise<number> {
  const { exit, stdout, stderr } = await runNode([
    ...['--max-old-space-size=32', '--max-semi-space-size=1'],
    ...['test/integration/prepare-rows.mjs', model, at('adapter.gguf'), String(rows)],
  ]);
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
  return Number(stdout);
}

it('eight times the rows need no more JavaScript objects, and less than 50 bytes of memory for each row', async () => {
  // 16 bytes are the lengths and the order of the samples. The file is mapped into memory a million tokens at a time.
  const [few, many] = [50_000, 400_000];
  expect((await peakBytes(many)) - (await peakBytes(few))).toBeLessThan(50 * (many - few));
}, 300_000);
