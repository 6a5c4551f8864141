import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRunLog } from '../../src/index.js';

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
    expect(readRunLog(inDirectory('run.jsonl')).events.at(-1)?.type).toBe('done');
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
