import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createModel, finetuneLora } from '../../src/index.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const vocabulary = join(root, 'vendor', 'llama.cpp', 'models', 'ggml-vocab-qwen2.gguf');

function run(script: string, ...argv: string[]) {
  const file = join(root, 'tools', 'bench-generation', script);
  return spawnSync(process.execPath, [file, ...argv], { encoding: 'utf8' });
}

describe('npm run bench:generation', () => {
  const folder = mkdtempSync(join(tmpdir(), 'llamatune-bench-generation-'));
  const path = join(folder, 'model.gguf');
  const adapter = join(folder, 'adapter.gguf');
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  beforeAll(async () => {
    await createModel({
      path,
      architecture: 'qwen3',
      vocabulary: { from: vocabulary },
      embeddingLength: 64,
      layers: 2,
      heads: 2,
      headLength: 32,
      feedForwardLength: 128,
      contextLength: 256,
      type: 'Q8_0',
      tieEmbeddings: true,
    });
    const tokens = Array.from({ length: 16 }, (_, i) => i + 1);
    await finetuneLora({
      model: path,
      dataset: [{ tokens }],
      output: adapter,
      lora: { rank: 4 },
      epochs: 1,
      sequenceLength: 16,
      batchSize: 1,
      loss: 'all',
    }).result;
  });

  it('measures a prompt with exactly the given number of tokens, with and without the adapter', () => {
    const spec = { path, adapter, prompt: 100, tokens: 4, sequences: 3, threads: 1 };
    const { status, stdout, stderr } = run('measure.mjs', JSON.stringify(spec));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const found = JSON.parse(stdout);
    for (const side of ['plain', 'adapted']) {
      const measured = [
        'prompt',
        'generation',
        'generationAlone',
        'generationTogether',
        'firstTokenMs',
      ];
      for (const name of measured) {
        expect(found[side][name], `${side} ${name}`).toBeGreaterThan(0);
      }
    }
  });

  it('reports an invalid option', () => {
    const { status, stderr } = run('main.mjs', '--prompt', '1');
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('--prompt') });
    expect(run('main.mjs', '--help').stdout).toContain('--rounds');
  });
});
