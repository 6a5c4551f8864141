import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { finetuneView, resultTable, stepLine } from '../../../src/cli/finetune-view.js';
import type { CliIo } from '../../../src/cli/io.js';
import type { StepEvent } from '../../../src/contract/training.js';
import type { FinetuneEvent, FinetuneResult } from '../../../src/finetune/events.js';

const step = (number: number): StepEvent => ({
  type: 'step',
  step: number,
  totalSteps: 3,
  epoch: 1,
  loss: 2.5 / number,
  metrics: { tokenAccuracy: 0.25 * number },
  learningRate: 1e-4,
  gradientNorm: 0.75,
  tokens: 1024,
  targetTokens: 300,
  tokensPerSecond: 1234.5,
  samplesPerSecond: 8,
  stepMs: 829,
  forwardMs: null,
  backwardMs: null,
  lossMs: null,
  optimizerMs: null,
  dataMs: null,
  memoryBytes: 1e8,
  etaMs: 185_000,
  experts: null,
});

const result: FinetuneResult = {
  mode: 'lora',
  precision: 'f32',
  output: 'adapter.gguf',
  adapter: null,
  modelCard: null,
  runLog: null,
  steps: 3,
  epochs: 1,
  finalLoss: 0.8333,
  bestValidationLoss: null,
  bestStep: null,
  stoppedEarly: false,
  pausedSeconds: 0,
  finalValidationLoss: 0.9,
  losses: Float64Array.of(2.5, 1.25, 0.8333),
  learningRates: Float64Array.of(1e-4, 1e-4, 5e-5),
  interventions: [
    { step: 2, kind: 'skip', reason: 'loss 9 is above the limit 3', before: null, after: null },
    { step: 3, kind: 'skip', reason: 'loss 9 is above the limit 3', before: null, after: null },
    { step: 3, kind: 'learning-rate', reason: 'lower', before: 1, after: 0.5 },
  ],
  evaluations: [{ step: 3, loss: 0.9, metrics: { tokenAccuracy: 0.612 } }],
  samples: 20,
  validationSamples: 4,
  tokens: 3072,
  targetTokens: 900,
  seconds: 2.5,
  tokensPerSecond: 1228.8,
  trainableParameters: 123_456,
  peakMemoryBytes: null,
  experts: null,
  estimatedMemoryBytes: 95_000_000,
  gradientCheckpointing: false,
  weightCache: false,
  weightCacheBytes: 0,
  microBatchTokens: 1024,
  warnings: [],
};

const events: FinetuneEvent[] = [
  { type: 'phase', phase: 'model', progress: 0, detail: 'loading base.gguf' },
  { type: 'phase', phase: 'model', progress: 0.5, detail: 'loading base.gguf' },
  { type: 'warning', code: 'SAMPLES_SKIPPED', message: '2 samples are too long' },
  step(1),
  step(2),
  step(3),
  {
    type: 'evaluation',
    step: 3,
    epoch: 1,
    loss: 0.9,
    metrics: { tokenAccuracy: 0.612 },
    targetTokens: 50,
    ms: 40,
  },
  {
    ...{ type: 'intervention', step: 3, kind: 'rescue' },
    ...{ reason: 'the loss is not finite', before: 2, after: 0 },
  },
  { type: 'checkpoint', step: 3, path: 'checkpoints/3' },
  { type: 'epoch', epoch: 1, step: 3, loss: 1.5, metrics: { tokenAccuracy: null } },
  { type: 'done', result },
];

function shown(json: boolean, terminal: boolean): { stdout: string; stderr: string } {
  const stdout = Object.assign(new PassThrough(), { isTTY: terminal, columns: 120 });
  const stderr = new PassThrough();
  const io: CliIo = {
    stdin: new PassThrough(),
    stdout,
    stderr,
    env: {},
    signal: new AbortController().signal,
    outputClosed: new AbortController().signal,
  };
  const view = finetuneView(io, json);
  for (const event of events) view.show(event);
  view.close();
  const text = (stream: PassThrough) => String(stream.read() ?? '');
  return { stdout: text(stdout), stderr: text(stderr) };
}

describe('finetuneView', () => {
  it('writes every event as one JSON line, typed arrays as arrays', () => {
    const { stdout, stderr } = shown(true, true);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ type }) => type)).toEqual(events.map(({ type }) => type));
    expect(lines[3]).toEqual(step(1));
    expect(lines.at(-1).result.losses).toEqual([2.5, 1.25, 0.8333]);
    expect(lines.at(-1).result.peakMemoryBytes).toBeNull();
    expect(stderr).toBe('');
  });

  it('writes plain lines without a terminal, and warnings to standard error', () => {
    const { stdout, stderr } = shown(false, false);
    expect(stdout).not.toContain('\u001b');
    expect(stdout.split('model: loading base.gguf\n')).toHaveLength(2);
    expect(stdout).toContain(`${stepLine(step(1))}\n`);
    expect(stdout).toContain(`${stepLine(step(3))}\n`);
    expect(stdout).toContain('step 3  validation loss 0.9000, token accuracy 61.2 %  (40 ms)\n');
    expect(stdout).toContain('checkpoint checkpoints/3');
    expect(stdout).toContain('step 3: rescue (2 → 0): the loss is not finite\n');
    expect(stdout).toContain('epoch 1 done  mean training loss 1.5000, token accuracy –\n');
    expect(stdout).toContain('adapter.gguf');
    expect(stderr).toBe('warning SAMPLES_SKIPPED: 2 samples are too long\n');
  });

  it('draws a bar with the metrics on a terminal and restores the cursor', () => {
    const { stdout } = shown(false, true);
    expect(stdout).toContain('3/3');
    expect(stdout).toContain('loss 0.8333');
    expect(stdout).toContain('lr 1.0e-4');
    expect(stdout).toContain('1,235 tok/s');
    expect(stdout).toContain('ETA 3 min 05 s');
    expect(stdout).toContain('validation loss 0.9000');
    expect(stdout).toContain('adapter.gguf');
    expect(stdout.lastIndexOf('\u001b[?25h')).toBeGreaterThan(stdout.lastIndexOf('\u001b[?25l'));
  });
});

describe('stepLine', () => {
  it('shows a dash for a value that was not measured', () => {
    expect(stepLine({ ...step(1), tokensPerSecond: null, etaMs: null })).toBe(
      'step 1/3  epoch 1  loss 2.5000  token accuracy 25.0 %  learning rate 1.0e-4  gradient norm 0.7500  – tokens/s  ETA –',
    );
  });
});

describe('resultTable', () => {
  it('shows the output, losses, speed and memory', () => {
    const table = resultTable(result);
    for (const text of [
      'adapter.gguf',
      '2.5000 → 0.8333',
      '0.9000',
      'Validation token accuracy',
      '61.2 %',
      '2 skip, 1 learning-rate',
      '123.5 K',
      '1,229 tokens/s',
      '– (estimated 95.0 MB)',
    ]) {
      expect(table).toContain(text);
    }
    const unvalidated = { ...result, finalValidationLoss: null, evaluations: [] };
    expect(resultTable(unvalidated)).not.toContain('Validation');
  });

  it('says of a resumed run that was already finished that nothing was left to train', () => {
    const table = resultTable({ ...result, tokensPerSecond: null });
    expect(table).toMatch(/Steps .*; nothing was left to train/);
    expect(table).toMatch(/Training loss +│ 0\.8333 /);
    expect(table).not.toMatch(/→|tokens\/s/);
  });
});
