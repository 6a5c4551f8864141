import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { devices, readRunLog } from '../../src/index.js';

import { runNode } from './command-line.js';
import { tinyModel } from './tiny-model.js';

// Runs the examples unchanged, with small settings.

const directory = mkdtempSync(join(tmpdir(), 'llamatune-examples-'));
const inDirectory = (name: string) => join(directory, name);
let model: string;

beforeAll(async () => {
  model = await tinyModel();
});
afterAll(() => rmSync(directory, { recursive: true }));

describe('examples', () => {
  it('the demo fine-tunes the shipped model and shows both answers', async () => {
    const { exit, stdout, stderr } = await runNode([
      ...['examples/demo/demo.mjs', '--maxSteps', '4', '--output', directory],
    ]);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(stdout).toContain('4/4');
    expect(stdout).toContain('What is the capital'); // the text wraps in the table
    expect(stdout).toMatch(/As expected: base model \d of \d+, fine-tuned model \d of \d+/);
    expect(readFileSync(inDirectory('adapter.gguf')).subarray(0, 4).toString()).toBe('GGUF');
    expect(readRunLog(inDirectory('adapter-log.jsonl')).events.at(-1)?.type).toBe('done');
    expect(readFileSync(inDirectory('loss.svg'), 'utf8')).toContain('learning rate');
  });

  it('finetune.mjs writes an adapter that generate.mjs uses', async () => {
    const dataset = inDirectory('train.jsonl');
    const row = {
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Hello.' },
      ],
    };
    writeFileSync(dataset, `${JSON.stringify(row)}\n`.repeat(40));
    const adapter = inDirectory('hello.gguf');
    const trained = await runNode(['examples/finetune.mjs', model, dataset, adapter, '3']);
    expect(trained).toMatchObject({ exit: 0, stderr: '' });
    expect(trained.stdout).toContain('step 3/3');
    const answered = await runNode(['examples/generate.mjs', model, 'Hi', adapter]);
    expect(answered).toMatchObject({ exit: 0, stderr: '' });
    expect(answered.stdout).toMatch(/\d+ tokens, first after \d+ ms/);
  });

  it('bench-suite-devices.mjs runs a suite on every device and continues it', async () => {
    const suite = inDirectory('suite.json');
    const benchmarks = [
      { task: 'inference', runs: 2, options: { maxTokens: 4 } },
      { task: 'training', steps: 2, options: { sequenceLength: 32, batchSize: 2 } },
    ];
    writeFileSync(
      suite,
      JSON.stringify({ name: 'tiny', models: [model], measurePeak: false, benchmarks }),
    );
    const args = ['examples/bench-suite-devices.mjs', suite, inDirectory('devices')];
    const { exit, stdout, stderr } = await runNode(args);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    for (const { name } of (await devices()).devices) {
      expect(stdout).toMatch(new RegExp(`training \\| .* \\| ${name}: [\\d.]+ tokens/s`));
      expect(existsSync(join(inDirectory('devices'), name, 'report.html'))).toBe(true);
    }
    expect(stdout).toContain('Peak t/s');
    const again = await runNode(args);
    expect(again.stdout).not.toMatch(/: [\d.]+ tokens\/s/);
    expect(again.stdout).toContain('Peak t/s');
  });

  it('bench-suite-precision.mjs compares f32 and bf16', async () => {
    const args = ['examples/bench-suite-precision.mjs', model, inDirectory('precision')];
    const { exit, stdout, stderr } = await runNode(args);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(stdout).toMatch(/^f32: [\d.,]+ tokens\/s/m);
    expect(stdout).toMatch(/^bf16 \/ f32, tokensPerSecond: [\d.]+ \(95 % interval/m);
  });

  it('bench-device.mjs prints a table and saves the samples', async () => {
    const { exit, stdout, stderr } = await runNode([
      'examples/bench-device.mjs',
      model,
      directory,
      '--quick',
    ]);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(stdout).toContain('| LoRA training |');
    const path = inDirectory(`bench-${process.platform}-${process.arch}.json`);
    expect(JSON.parse(readFileSync(path, 'utf8')).training.samples).toHaveLength(2);
  });
});
