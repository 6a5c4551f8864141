import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRunLog } from '../../src/index.js';

import { jsonLines, llamatune } from './command-line.js';
import { tinyModel } from './tiny-model.js';

const directory = mkdtempSync(join(tmpdir(), 'llamatune-cli-'));
const inDirectory = (name: string) => join(directory, name);
const dataset = inDirectory('train.jsonl');
let model: string;

beforeAll(async () => {
  model = await tinyModel();
  const rows = Array.from({ length: 16 }, (_, i) => ({
    messages: [
      { role: 'user', content: `What is ${i} + 1?` },
      { role: 'assistant', content: `It is ${i + 1}.` },
    ],
  }));
  writeFileSync(dataset, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
});
afterAll(() => rmSync(directory, { recursive: true }));

const finetune = (output: string, ...args: string[]) => [
  ...['finetune', '--model', model, '--dataset', dataset, '--output', inDirectory(output)],
  ...['--sequenceLength', '96', '--batchSize', '4', '--lora.rank', '4'],
  ...['--optimizer.learningRate', '5e-3', ...args],
];

describe('llamatune', () => {
  it('shows versions and help', async () => {
    const version = await llamatune(['--version']);
    expect(version).toMatchObject({ exit: 0, stderr: '' });
    expect(version.stdout).toMatch(
      /^llamatune \d+\.\d+\.\d+\nllama\.cpp .+\nllama\.cpp commit [0-9a-f]{40}\nCPU accelerator .+\nnode 2/,
    );
    const help = await llamatune(['finetune', '--help']);
    expect(help).toMatchObject({ exit: 0, stderr: '' });
    expect(help.stdout).toContain('--optimizer.learningRate');
  });

  it('exits with code 2 after wrong usage, and says what is wrong', async () => {
    expect(await llamatune([])).toMatchObject({ exit: 2, stdout: '' });
    const unknown = await llamatune(['finetune', '--modle', 'x']);
    expect(unknown).toMatchObject({ exit: 2, stdout: '' });
    expect(unknown.stderr).toMatch(
      /^error USAGE_INVALID: .*--modle\nhint: did you mean --model\?\n$/,
    );
  });

  it('reports every problem of a configuration at once', async () => {
    const { exit, stderr } = await llamatune(finetune('x.gguf', '--epochs', '0', '--seed', 'abc'));
    expect(exit).toBe(2);
    expect(stderr).toContain('error CONFIG_INVALID');
    expect(stderr).toContain('epochs:');
    expect(stderr).toContain('seed:');
  });

  it('refuses options that a resumed run may change if the run is not resumed', async () => {
    const config = inDirectory('not-resumed.json');
    writeFileSync(config, JSON.stringify({ checkpoint: { directory, resume: false } }));
    const args = ['--config', config, '--checkpoint.resume.allow', 'epochs'];
    const { exit, stderr } = await llamatune(finetune('x.gguf', ...args));
    expect(exit).toBe(2);
    expect(stderr).toContain('checkpoint.resume.from: expected');
  });
});

describe('llamatune inspect', () => {
  it('describes the model and the memory for training', async () => {
    const { exit, stdout, stderr } = await llamatune([
      'inspect',
      model,
      '--json',
      '--sequenceLength',
      '96',
    ]);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    const [info, ...more] = jsonLines(stdout);
    expect(more).toEqual([]);
    expect(info).toMatchObject({
      type: 'model',
      path: model,
      architecture: 'llama',
      layers: 2,
      contextLength: 256,
      vocabularySize: 259,
      training: { possible: true },
    });
    expect(info?.trainableTargets).toMatchObject({ attn_q: 2, attn_v: 2, ffn_down: 2 });
    expect(info?.weightTypes).toEqual([
      { type: 'F32', tensors: expect.any(Number), bytes: info?.bytes },
    ]);
    const training = info?.training as Record<string, number>;
    expect(training.totalBytes).toBeGreaterThanOrEqual(
      training.weightsBytes! + training.adapterBytes!,
    );
  });

  it('prints tables for people', async () => {
    const { exit, stdout, stderr } = await llamatune(['inspect', model, '--tensors', '--metadata']);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    for (const text of [
      'Architecture',
      'attn_q',
      '<|im_start|>',
      'Memory for training',
      'blk.1.ffn_down.weight',
      'general.architecture = llama',
    ]) {
      expect(stdout).toContain(text);
    }
  });

  it('says why a model cannot be trained with these options', async () => {
    const { exit, stdout } = await llamatune(['inspect', model, '--lora.targets', 'bogus']);
    expect(exit).toBe(0);
    expect(stdout).toMatch(
      /Training: not possible\n {2}error TARGET_UNKNOWN: .*'bogus'\n {2}hint: /,
    );
  });

  it('exits with code 1 if the file is not a GGUF', async () => {
    const result = await llamatune(['inspect', dataset]);
    expect(result).toMatchObject({ exit: 1, stdout: '' });
    expect(result.stderr).toMatch(/^error NOT_A_GGUF: .*\nhint: /s);
    const missing = await llamatune(['inspect', 'constructor']);
    expect(missing.stderr).toMatch(/^error MODEL_NOT_FOUND: /);
  });

  it('describes an adapter', async () => {
    const adapter = inDirectory('inspected.gguf');
    const targets = ['--lora.targets', 'attn_q,ffn_down', '--lora.alpha', '12'];
    expect((await llamatune(finetune('inspected.gguf', '--maxSteps', '1', ...targets))).exit).toBe(
      0,
    );
    const json = await llamatune(['inspect', adapter, '--json', '--tensors']);
    expect(json).toMatchObject({ exit: 0, stderr: '' });
    const [info, ...more] = jsonLines(json.stdout);
    expect(more).toEqual([]);
    expect(info).toMatchObject({
      type: 'adapter',
      path: adapter,
      architecture: 'llama',
      rank: 4,
      alpha: 12,
      rsLora: false,
      base: { layers: 2, embeddingLength: 64 },
      adaptedLayers: 2,
      targets: [
        { target: 'attn_q', weights: 2, ranks: [4] },
        { target: 'ffn_down', weights: 2, ranks: [4] },
      ],
      metadata: { 'general.type': 'adapter', 'adapter.type': 'lora' },
    });
    expect(info?.weights).toHaveLength(4);

    const { exit, stdout, stderr } = await llamatune(['inspect', adapter]);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    for (const text of ['LoRA adapter', 'Base architecture', 'ffn_down', 'adapter.type = lora']) {
      expect(stdout).toContain(text);
    }
    expect(stdout).not.toContain('Memory for training');
  });
});

describe('llamatune finetune and generate', () => {
  it('trains an adapter, logs the run, draws the curve, and generates with it', async () => {
    const [log, curve] = [inDirectory('run.jsonl'), inDirectory('loss.svg')];
    const { exit, stdout, stderr } = await llamatune(
      finetune(
        'adapter.gguf',
        ...['--epochs', '2', '--validation.split', '0.25', '--validation.everySteps', '2'],
        ...['--runLog', log, '--lossCurve', curve, '--json'],
      ),
    );
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    const events = jsonLines(stdout);
    const steps = events.filter(({ type }) => type === 'step');
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(events.some(({ type }) => type === 'evaluation')).toBe(true);
    const done = events.at(-1) as { type: string; result: { losses: number[]; finalLoss: number } };
    expect(done.type).toBe('done');
    expect(done.result.losses).toEqual(steps.map(({ loss }) => loss));
    expect(done.result.losses.at(-1)).toBeLessThan(done.result.losses[0]!);
    expect(readFileSync(inDirectory('adapter.gguf')).subarray(0, 4).toString()).toBe('GGUF');

    const { header, events: logged } = readRunLog(log);
    expect(header.config).toMatchObject({ model, epochs: 2, lora: { rank: 4, alpha: 16 } });
    expect(header.versions).toHaveProperty('llamatune');
    expect(logged.map(({ time, ...event }) => event)).toEqual(events);
    expect(readFileSync(curve, 'utf8')).toContain('validation loss');

    const ask = [
      'generate',
      '--model',
      model,
      '--user',
      'What is 3 + 1?',
      '--temperature',
      '0',
      '--maxTokens',
      '24',
    ];
    const base = await llamatune(ask);
    const tuned = await llamatune([...ask, '--adapters', inDirectory('adapter.gguf')]);
    const off = await llamatune([...ask, '--adapters', `${inDirectory('adapter.gguf')}@0`]);
    expect([base.exit, tuned.exit, off.exit]).toEqual([0, 0, 0]);
    expect(off.stdout).toBe(base.stdout);
    expect(tuned.stdout).not.toBe(base.stdout);
    expect(base.stderr).toMatch(/^\d+ tokens, .* tokens\/s .*ended by (eos|length)\n$/);

    const json = await llamatune([...ask, '--adapters', inDirectory('adapter.gguf'), '--json']);
    const tokens = jsonLines(json.stdout);
    const last = tokens.pop() as { type: string; result: { text: string } };
    expect(last.type).toBe('done');
    expect(tokens.map(({ text }) => text).join('')).toBe(last.result.text);
    expect(tuned.stdout).toBe(last.result.text);
  });

  it('reads a configuration file, which command-line options override', async () => {
    const config = inDirectory('config.json');
    writeFileSync(
      config,
      JSON.stringify({
        ...{ model, dataset, output: inDirectory('from-file.gguf') },
        ...{ sequenceLength: 96, epochs: 50, maxSteps: 50, lora: { rank: 4, targets: ['attn_q'] } },
      }),
    );
    const log = inDirectory('from-file-log.jsonl');
    const { exit, stdout } = await llamatune(['finetune', '--config', config, '--maxSteps', '2']);
    expect(exit).toBe(0);
    expect(stdout).toContain('step 2/2');
    expect(stdout).not.toContain('\u001b');
    expect(readRunLog(log).header.config).toMatchObject({
      maxSteps: 2,
      epochs: 50,
      lora: { targets: ['attn_q'] },
    });
  });

  it('names file and line of a broken dataset and writes no adapter', async () => {
    const broken = inDirectory('broken.jsonl');
    writeFileSync(broken, `${readFileSync(dataset, 'utf8')}{"messages": [\n`);
    const output = inDirectory('never.gguf');
    const args = [
      'finetune',
      '--model',
      model,
      '--dataset',
      broken,
      '--output',
      output,
      '--json',
      '--sequenceLength',
      '96',
    ];
    const { exit, stdout, stderr } = await llamatune(args);
    expect({ exit, stderr }).toEqual({ exit: 1, stderr: '' });
    expect(jsonLines(stdout).at(-1)).toMatchObject({
      type: 'error',
      code: 'DATASET_INVALID_JSON',
      message: expect.stringContaining(`${broken}:17`),
      hint: expect.stringMatching(/./),
    });
    expect(existsSync(output)).toBe(false);
  });

  it('reads the prompt from standard input or a file', async () => {
    const file = inDirectory('prompt.txt');
    writeFileSync(file, 'Once upon a time\n');
    const args = [
      'generate',
      '--model',
      model,
      '--temperature',
      '0',
      '--maxTokens',
      '8',
      '--ignoreEos',
    ];
    const outputs = [
      await llamatune(args, { input: 'Once upon a time\n' }),
      await llamatune([...args, '--promptFile', file]),
      await llamatune([...args, '--promptFile', '-'], { input: 'Once upon a time' }),
      await llamatune([...args, '--prompt', 'Once upon a time']),
    ];
    expect(outputs.map(({ exit }) => exit)).toEqual([0, 0, 0, 0]);
    expect(new Set(outputs.map(({ stdout }) => stdout)).size).toBe(1);
    const two = await llamatune([...args, '--prompt', 'a', '--user', 'b']);
    expect(two).toMatchObject({ exit: 2, stderr: expect.stringContaining('--prompt and --user') });
  });
});

describe('llamatune bench', () => {
  const small = [
    '--promptTokens',
    '16',
    '--generatedTokens',
    '4',
    '--training.steps',
    '1',
    '--training.sequenceLength',
    '16',
  ];
  const bench = (...args: string[]) =>
    llamatune([
      'bench',
      '--model',
      model,
      ...small,
      '--warmup',
      '1',
      '--repetitions',
      '2',
      ...args,
    ]);

  it('measures, streams samples and writes a report', async () => {
    const report = inDirectory('bench.json');
    const { exit, stdout, stderr } = await bench('--json', '--report', report);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    const events = jsonLines(stdout);
    const { result } = events.pop() as { result: Record<string, { samples: unknown[] }> };
    expect(events.filter(({ warmup }) => warmup === false)).toHaveLength(6);
    for (const kind of ['prompt', 'generation', 'training']) {
      expect(result[kind]?.samples).toHaveLength(2);
    }
    expect(JSON.parse(readFileSync(report, 'utf8'))).toEqual(result);
  });

  it('prints a table for people', async () => {
    const report = inDirectory('bench.md');
    const { exit, stdout } = await bench('--training.steps=0', '--report', report);
    expect(exit).toBe(2);
    expect(stdout).toBe('');
    const again = await llamatune([
      ...['bench', '--model', model, '--promptTokens', '16', '--generatedTokens', '0'],
      ...['--training.steps', '0', '--repetitions', '1', '--report', report],
    ]);
    expect(again.exit).toBe(0);
    expect(again.stdout).toContain('prompt processing');
    expect(again.stdout).not.toContain('LoRA training');
    expect(readFileSync(report, 'utf8')).toMatch(/\| prompt processing \| [\d.,]+ \|/);
  });
});
