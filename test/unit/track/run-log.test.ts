import {
  appendFileSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { finetuneSchema } from '../../../src/config/finetune.js';
import { parseConfig } from '../../../src/config/parse.js';
import type { StepEvent } from '../../../src/contract/training.js';
import type { FinetuneEvent } from '../../../src/finetune/events.js';
import { renderLossCurve } from '../../../src/report/loss-curve.js';
import { RunLogTracker, readRunLog } from '../../../src/track/run-log.js';

import { events } from './events.js';

const noHistory = {
  losses: new Float64Array(),
  learningRates: new Float64Array(),
  evaluations: [],
  interventions: [],
};
const directory = mkdtempSync(join(tmpdir(), 'llamatune-run-log-'));
afterAll(() => rmSync(directory, { recursive: true }));

const header = {
  config: { model: 'base.gguf', lora: { rank: 8 } },
  versions: { llamatune: '0.1.0' },
};
const metrics = { tokenAccuracy: 0.5 };
const evaluation = { step: 3, epoch: 1, loss: 0.5, metrics, targetTokens: 9, ms: 2 };

describe('run log', () => {
  it('writes the header and one event per line, and reads them back', () => {
    const path = join(directory, 'new.jsonl');
    const log = new RunLogTracker(path, header);
    log.write({ ...evaluation, type: 'evaluation' });
    log.write({ type: 'warning', code: 'X', message: 'a\nb' });
    log.close();
    expect(readFileSync(path, 'utf8').trimEnd().split('\n')).toHaveLength(3);
    const read = readRunLog(path);
    expect(read.header).toMatchObject({
      type: 'run',
      config: { model: 'base.gguf', lora: { rank: 8 } },
      versions: { llamatune: '0.1.0' },
    });
    expect(Date.parse(read.header.startedAt)).toBeGreaterThan(0);
    expect(read.events).toMatchObject([
      { ...evaluation, type: 'evaluation' },
      { type: 'warning', message: 'a\nb' },
    ]);
    expect(Date.parse(read.events[0]!.time)).toBeGreaterThan(0);
  });

  it.each([
    ['every default', {}],
    ['a placement', { device: 'cuda', gpuLayers: 3, placement: 'experts-on-cpu' }],
    ['all parameters', { mode: 'full', optimizer: { type: 'sgd' }, scheduler: { type: 'linear' } }],
    ['other data', { validation: { split: 0.1 }, checkpoint: { directory: 'c' }, packing: true }],
  ])('records a configuration that finetune() accepts: %s', (_, given) => {
    const config = parseConfig(
      finetuneSchema,
      { model: 'm.gguf', dataset: 'd.jsonl', output: 'o.gguf', ...given },
      'options',
    );
    const path = join(directory, 'again.jsonl');
    const log = new RunLogTracker(path, { config, versions: {} });
    log.write({ ...evaluation, type: 'evaluation' });
    log.close();
    const recorded = readRunLog(path).header.config;
    expect(parseConfig(finetuneSchema, recorded, 'options')).toEqual(config);
  });

  it('gives events that renderLossCurve() accepts', () => {
    const path = join(directory, 'curve.jsonl');
    const log = new RunLogTracker(path, header);
    log.write({
      ...{ type: 'step', step: 1, totalSteps: 1, epoch: 1, loss: 1.5, metrics, learningRate: 1e-4 },
      ...{ gradientNorm: 1, tokens: 8, targetTokens: 4, tokensPerSecond: null, stepMs: 1 },
      ...{ samplesPerSecond: null, forwardMs: null, backwardMs: null, lossMs: null },
      ...{ optimizerMs: null, dataMs: null, memoryBytes: null, etaMs: 0, experts: null },
    });
    log.close();
    expect(renderLossCurve(readRunLog(path).events)).toContain('final training loss 1.500');
  });

  it('writes typed arrays as arrays and numbers that are not finite as null', () => {
    const path = join(directory, 'typed.jsonl');
    const log = new RunLogTracker(path, {
      config: { losses: Float64Array.of(1.5, Number.NaN) },
      versions: {},
    });
    log.write({ type: 'phase', phase: 'train', progress: null, detail: '' });
    log.close();
    expect(readRunLog(path).header.config).toEqual({ losses: [1.5, null] });
  });

  it('can be read during the run and after the process was killed in the middle of a line', () => {
    const path = join(directory, 'killed.jsonl');
    const log = new RunLogTracker(path, header);
    log.write({ ...evaluation, type: 'evaluation' });
    expect(readRunLog(path).events).toHaveLength(1);
    log.close();
    appendFileSync(path, '{"type":"step","st');
    expect(readRunLog(path).events).toHaveLength(1);
  });

  it('of a resumed run keeps the events up to the checkpoint, if the file is the log of that run', () => {
    const path = join(directory, 'resumed.jsonl');
    const checkpoint = (step: number, run = '0123abcd') =>
      ({ step, path: `checkpoints/checkpoint-${step}-${run}.gguf` }) as const;
    const epoch = (step: number) =>
      ({ type: 'epoch', epoch: step, step, loss: 1, metrics: {} }) as const;
    const resumed = (run?: string) => {
      const log = new RunLogTracker(path, header);
      log.write({ type: 'phase', phase: 'graph', progress: null, detail: '' });
      log.write({ type: 'resume', ...checkpoint(2, run), history: noHistory });
      log.write(epoch(3));
      log.close();
      return readRunLog(path).events.map((event) => [
        event.type,
        'step' in event ? event.step : null,
      ]);
    };
    const first = new RunLogTracker(path, header);
    first.write(epoch(1));
    first.write({ type: 'checkpoint', ...checkpoint(2) });
    first.write(epoch(3));
    first.close();
    appendFileSync(path, '{"type":"step","st'); // the process was killed
    const kept = [
      ['epoch', 1],
      ['checkpoint', 2],
    ];
    const now = [
      ['phase', null],
      ['resume', 2],
      ['epoch', 3],
    ];
    expect(resumed()).toEqual([...kept, ...now]);
    expect(resumed()).toEqual([...kept, ['resume', 2], ...now]);
    expect(resumed('456789ef')).toEqual(now);
    writeFileSync(path, 'something else\n');
    expect(resumed()).toEqual(now);
    // the log of the run that did not continue, and the other file
    expect(readRunLog(join(directory, 'resumed-1.jsonl')).events).toHaveLength(6);
    expect(readFileSync(join(directory, 'resumed-2.jsonl'), 'utf8')).toBe('something else\n');
  });

  it('of a resumed run gets the events that only the checkpoint has, in the order of their steps', () => {
    const path = join(directory, 'restored.jsonl');
    const checkpoint = { step: 4, path: 'checkpoints/checkpoint-4-0123abcd.gguf' } as const;
    const stop = { step: 4, kind: 'stop', reason: 'enough', before: 9, after: 4 } as const;
    const rate = {
      step: 2,
      kind: 'learning-rate',
      reason: 'spike',
      before: 1,
      after: 0.5,
    } as const;
    const first = new RunLogTracker(path, header);
    const [, step] = events as [FinetuneEvent, StepEvent];
    first.write({ ...step, step: 1 });
    first.write({ type: 'checkpoint', step: 1, path: 'checkpoints/checkpoint-1-0123abcd.gguf' });
    first.write({ type: 'intervention', ...rate });
    first.write({ ...step, step: 3 }); // of a log that already lacked step 2
    first.close();
    const log = new RunLogTracker(path, header);
    const history = {
      losses: Float64Array.of(4, 3, 2, Number.NaN),
      learningRates: Float64Array.of(0.1, 0.2, 0.3, 0.4),
      evaluations: [{ step: 4, loss: 1.5, metrics: { tokenAccuracy: 0.5 } }],
      interventions: [rate, stop],
    };
    log.write({ type: 'resume', ...checkpoint, history });
    log.write({ type: 'phase', phase: 'train', progress: null, detail: '' });
    log.close();
    const written = readRunLog(path).events.map(({ time, ...event }) => event);
    expect(written).toEqual([
      { ...step, step: 1 },
      { type: 'checkpoint', step: 1, path: 'checkpoints/checkpoint-1-0123abcd.gguf' },
      { type: 'intervention', ...rate },
      { type: 'step', restored: true, step: 2, loss: 3, learningRate: 0.2 },
      { ...step, step: 3 },
      { type: 'intervention', restored: true, ...stop },
      { type: 'step', restored: true, step: 4, loss: null, learningRate: 0.4 },
      { type: 'evaluation', restored: true, ...history.evaluations[0] },
      { type: 'resume', ...checkpoint },
      { type: 'phase', phase: 'train', progress: null, detail: '' },
    ]);
    expect(renderLossCurve(readRunLog(path).events)).toContain('3 steps');
  });

  it('of a resumed run keeps a long log, and replaces the file only when the new one is complete', () => {
    const path = join(directory, 'long.jsonl');
    const old = join(directory, 'long-before.jsonl');
    const at = { step: 200_000, path: 'checkpoint-200000-0123abcd.gguf' };
    const steps = Array.from({ length: at.step }, (_, i) => `{"type":"step","step":${i + 1}}\n`);
    const checkpoint = `${JSON.stringify({ type: 'checkpoint', ...at })}\n`;
    writeFileSync(path, ['{"type":"run"}\n', ...steps, checkpoint].join(''));
    linkSync(path, old); // sees a file that is emptied, but not one that is replaced
    const log = new RunLogTracker(path, header);
    log.write({ type: 'resume', ...at, history: noHistory });
    log.write({ ...evaluation, type: 'evaluation' });
    log.close();
    expect(readRunLog(path).events).toHaveLength(at.step + 3);
    expect(readRunLog(old).events).toHaveLength(at.step + 1);
  });

  it('is written when the training starts, and keeps any other file under another name', () => {
    const path = join(directory, 'old.jsonl');
    const phase = (name: 'graph' | 'train') =>
      ({ type: 'phase', phase: name, progress: null, detail: '' }) as const;
    writeFileSync(path, 'the log of an earlier run\n');
    const refused = new RunLogTracker(path, header);
    refused.write({ type: 'warning', code: 'SAMPLES_SKIPPED', message: '1 sample' });
    refused.write(phase('graph'));
    refused.close();
    expect(readFileSync(path, 'utf8')).toBe('the log of an earlier run\n');

    const accepted = new RunLogTracker(path, header);
    accepted.write({ type: 'warning', code: 'SAMPLES_SKIPPED', message: '1 sample' });
    accepted.write(phase('graph'));
    accepted.write(phase('train'));
    expect(readRunLog(path).events.map((event) => event.type)).toEqual([
      ...['warning', 'phase', 'phase'],
    ]);
    accepted.write({ type: 'warning', code: 'NON_FINITE_STEP', message: 'step 2' });
    expect(readRunLog(path).events).toHaveLength(4);
    accepted.close();
    const third = new RunLogTracker(path, header);
    third.write(phase('train'));
    third.close();
    expect(readFileSync(join(directory, 'old-1.jsonl'), 'utf8')).toBe(
      'the log of an earlier run\n',
    );
    expect(readRunLog(join(directory, 'old-2.jsonl')).events).toHaveLength(4);
    expect(readRunLog(path).events).toHaveLength(1);
  });

  it('names file and line of an invalid run log', () => {
    const path = join(directory, 'bad.jsonl');
    writeFileSync(path, '{"type":"run"}\nnot json\n{"type":"step"}\n');
    expect(() => readRunLog(path)).toThrow(
      expect.objectContaining({
        code: 'RUN_LOG_INVALID',
        message: expect.stringContaining(`${path}:2:`),
      }),
    );
    writeFileSync(path, '{"type":"step"}\n');
    expect(() => readRunLog(path)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(`${path}:1:`) }),
    );
    expect(() => readRunLog(join(directory, 'missing.jsonl'))).toThrow(
      expect.objectContaining({ code: 'RUN_LOG_INVALID' }),
    );
  });

  it('fails once if the file cannot be written', () => {
    const file = join(directory, 'a-file');
    writeFileSync(file, '');
    const log = new RunLogTracker(join(file, 'run.jsonl'), header);
    expect(() => log.write({ ...evaluation, type: 'evaluation' })).toThrow(
      expect.objectContaining({ code: 'OUTPUT_NOT_WRITABLE' }),
    );
    log.close();
  });
});
