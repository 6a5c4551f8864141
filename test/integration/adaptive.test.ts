// Controllers of adaptive training through the public API, on a model that trains in milliseconds.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type AdaptiveController,
  type AdaptiveMetrics,
  builtInController,
  type FinetuneOptions,
  finetune,
  type StepEvent,
} from '../../src/index.js';
import {
  adaptiveSetup,
  failure,
  interventions,
  kinds,
  losses,
  type Outcome,
  outcomeOf,
  recording,
  rows,
} from './adaptive-runs.js';

const { at, quick } = adaptiveSetup();

describe('a controller', () => {
  it('that decides nothing changes nothing, and sees what the steps report', async () => {
    const plain = await outcomeOf(quick());
    const adapter = readFileSync(at('adapter.gguf'));
    const { seen, controller } = recording();
    const adaptive = await outcomeOf(quick({ adaptive: { controller } }));
    expect(losses(adaptive)).toEqual(losses(plain));
    expect(readFileSync(at('adapter.gguf')).equals(adapter)).toBe(true);
    expect(interventions(adaptive)).toEqual([]);
    expect(adaptive.result.interventions).toEqual([]);
    const steps = adaptive.events.filter((event) => event.type === 'step');
    const shared = (each: AdaptiveMetrics | StepEvent) => ({
      ...{ step: each.step, totalSteps: each.totalSteps, epoch: each.epoch, loss: each.loss },
      ...{ metrics: each.metrics, gradientNorm: each.gradientNorm, rate: each.learningRate },
      ...{ tokens: each.tokens, targetTokens: each.targetTokens },
    });
    expect(seen.map(shared)).toEqual(steps.map(shared));
    expect(seen[0]).toMatchObject({ epochs: 10, accumulation: 1, samples: 4, keptStep: null });
  });

  it('changes the learning rate by a factor of the schedule', async () => {
    const controller = ({ step }: AdaptiveMetrics) =>
      step === 3 ? { learningRateFactor: 0.5, reason: 'half' } : undefined;
    const plain = await outcomeOf(quick());
    const half = await outcomeOf(quick({ adaptive: { controller } }));
    const ratesOf = ({ events }: Outcome) =>
      events.filter((event) => event.type === 'step').map(({ learningRate }) => learningRate);
    const expected = ratesOf(plain).map((rate, i) => (i < 2 ? rate : rate / 2));
    expect(ratesOf(half)).toEqual(expected);
    expect(interventions(half)).toEqual([
      {
        type: 'intervention',
        step: 3,
        kind: 'learning-rate',
        reason: 'half',
        before: 1,
        after: 0.5,
      },
    ]);
    expect(half.result.interventions).toMatchObject([{ step: 3, kind: 'learning-rate' }]);
    expect(losses(half).slice(0, 3)).toEqual(losses(plain).slice(0, 3));
    expect(losses(half)[3]).not.toBe(losses(plain)[3]);
  });

  it('skips an update: the next step sees the same weights', async () => {
    const one = { dataset: rows.slice(0, 4), shuffle: false };
    const skip = await outcomeOf(
      quick({ ...one, adaptive: { controller: () => ({ update: 'skip', reason: 'always' }) } }),
    );
    expect(new Set(losses(skip)).size).toBe(1);
    expect(kinds(skip)).toEqual(Array(10).fill('skip'));
  });

  it('rescues: weights and optimizer state are those of the kept step', async () => {
    const one = {
      dataset: rows.slice(0, 4),
      shuffle: false,
      scheduler: { type: 'constant' } as const,
    };
    const plain = await outcomeOf(quick(one));
    const { seen, controller } = recording(({ step }) => {
      if (step === 3) return { keep: true };
      return step === 6 ? { update: 'rescue', reason: 'go back' } : undefined;
    });
    const rescued = await outcomeOf(quick({ ...one, adaptive: { controller } }));
    expect(seen.map(({ keptStep }) => keptStep)).toEqual([null, null, null, ...Array(7).fill(2)]);
    // the rows are the same in each step, so the run repeats its steps 3 to 6
    expect(losses(rescued)).toEqual([...losses(plain).slice(0, 6), ...losses(plain).slice(2, 6)]);
    expect(interventions(rescued)).toMatchObject([
      { step: 6, kind: 'rescue', before: 5, after: 2 },
    ]);
  });

  it('raises the accumulation: two batches are one step with their mean gradient', async () => {
    const whole = await outcomeOf(quick({ batchSize: 8, shuffle: false, epochs: 3 }));
    const { seen, controller } = recording(({ step }) =>
      step === 1 ? { update: 'skip', accumulation: 2, reason: 'noise' } : undefined,
    );
    const adaptive = { controller };
    const halves = await outcomeOf(quick({ shuffle: false, epochs: 4, adaptive }));
    // Step 1 has one batch and updates nothing. Steps do not cross epochs: 4 + 8 + 4, 8 + 8, …
    expect(seen.map(({ samples }) => samples)).toEqual([4, 8, 4, 8, 8, 8, 8, 8, 8]);
    expect(seen.map(({ totalSteps }) => totalSteps).at(-1)).toBe(9);
    expect(halves.result.steps).toBe(9);
    expect(halves.result.tokens).toBe((whole.result.tokens / 3) * 4);
    expect(interventions(halves)[1]).toMatchObject({ kind: 'accumulation', before: 1, after: 2 });
  });

  it('gives the gradient of the mean loss however the batches are accumulated', async () => {
    const { seen: eight, controller } = recording();
    await outcomeOf(quick({ batchSize: 8, shuffle: false, epochs: 1, adaptive: { controller } }));
    const { seen: fours, controller: accumulating } = recording(() => ({
      ...{ update: 'skip', accumulation: 2, reason: 'measure only' },
    }));
    const adaptive = { controller: accumulating };
    await outcomeOf(quick({ batchSize: 4, shuffle: false, epochs: 2, adaptive }));
    // the first step of the second epoch has the same eight rows, and nothing was updated
    const second = fours.find(({ epoch, samples }) => epoch === 2 && samples === 8)!;
    expect(second.loss).toBeCloseTo(eight[0]!.loss!, 5);
    expect(second.gradientNorm).toBeCloseTo(eight[0]!.gradientNorm!, 5);
  });

  it('reports the gradient norm of one micro-batch of its own mean loss', async () => {
    const { seen, controller } = recording(() => ({ update: 'skip', reason: 'measure only' }));
    const one = { dataset: rows.slice(0, 4), shuffle: false, epochs: 4, microBatchSize: 1 };
    await outcomeOf(quick({ ...one, adaptive: { controller } }));
    const singles = await Promise.all(
      rows.slice(0, 4).map(async (row) => {
        const { seen: alone, controller: only } = recording();
        const single = {
          dataset: [row],
          batchSize: 1,
          epochs: 1,
          output: at(`${row.prompt.length}${row.completion}.gguf`),
        };
        await outcomeOf(quick({ ...single, adaptive: { controller: only } }));
        return alone[0]!.gradientNorm!;
      }),
    );
    // the steps take turns
    seen.forEach(({ microBatchGradientNorm, microBatchSamples }, i) => {
      expect(microBatchSamples).toBe(1);
      expect(microBatchGradientNorm).toBeCloseTo(singles[i]!, 4);
    });
    expect(seen).toHaveLength(4);
  });

  it('to raise the accumulation needs two micro-batches: they have at most half of a step', async () => {
    const enabled = { adaptive: { batch: { enabled: true } } };
    const wide = { batchSize: 8, epochs: 1, microBatchTokens: 'auto' } as const;
    const tokensOf = async (given: Partial<FinetuneOptions>) => {
      const { events, result } = await outcomeOf(quick({ ...wide, ...given }));
      const steps = events.filter((event) => event.type === 'step');
      return { largest: Math.max(...steps.map(({ tokens }) => tokens)), ...result };
    };
    const plain = await tokensOf({});
    expect(plain.microBatchTokens).toBeGreaterThanOrEqual(plain.largest);
    const adaptive = await tokensOf(enabled);
    expect(adaptive.microBatchTokens).toBeGreaterThan(0);
    expect(adaptive.microBatchTokens).toBeLessThan(adaptive.largest);
    expect(adaptive.microBatchTokens).toBeLessThanOrEqual(Math.ceil(plain.microBatchTokens! / 2));
  });

  it('extends the run on the schedule of more epochs, within the limit', async () => {
    const { seen, controller } = recording(({ step }) =>
      step === 8 ? { epochs: 3, reason: 'more' } : undefined,
    );
    const adaptive = { controller, limits: { maxEpochs: 3 } };
    const longer = await outcomeOf(quick({ epochs: 2, adaptive }));
    const three = await outcomeOf(quick({ epochs: 3 }));
    const ratesOf = ({ events }: Outcome) =>
      events.filter((event) => event.type === 'step').map(({ learningRate }) => learningRate);
    expect(longer.result).toMatchObject({ steps: 12, epochs: 3, stoppedEarly: false });
    expect(ratesOf(longer).slice(7)).toEqual(ratesOf(three).slice(7));
    expect(seen.map(({ totalSteps }) => totalSteps)).toEqual([
      ...Array(8).fill(8),
      ...Array(4).fill(12),
    ]);
    expect(interventions(longer)).toMatchObject([{ step: 8, kind: 'extend', before: 2, after: 3 }]);
    const beyond = finetune(
      quick({ epochs: 2, adaptive: { ...adaptive, limits: { maxEpochs: 2 } } }),
    );
    const error = await failure(beyond.result);
    expect(error).toMatchObject({ code: 'ADAPTIVE_DECISION_INVALID' });
    expect(error.problems).toMatchObject([{ path: 'epochs' }]);
  });

  it('stops the run, which writes its output', async () => {
    const controller = ({ step }: AdaptiveMetrics) =>
      step === 5 ? { stop: true, reason: 'enough' } : undefined;
    const { result } = await outcomeOf(quick({ adaptive: { controller } }));
    expect(result).toMatchObject({ steps: 5, stoppedEarly: true, output: at('adapter.gguf') });
    expect(result.interventions).toEqual([
      { step: 5, kind: 'stop', reason: 'enough', before: 40, after: 5 },
    ]);
  });

  it('can take its time, and compose the built-in one', async () => {
    const inner = builtInController();
    const controller: AdaptiveController = {
      ...inner,
      decide: async (metrics) => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        return inner.decide(metrics);
      },
    };
    const composed = await outcomeOf(quick({ adaptive: { controller } }));
    const built = await outcomeOf(quick({ adaptive: {} }));
    expect(losses(composed)).toEqual(losses(built));
  });
});

describe('a controller that fails', () => {
  const failing: [string, unknown, RegExp][] = [
    [
      'throws',
      () => {
        throw new TypeError('broken');
      },
      /failed at step 1: broken/,
    ],
    ['rejects', () => Promise.reject(new TypeError('broken')), /failed at step 1: broken/],
    [
      'decides nonsense',
      () => ({ update: 'jump' }),
      /invalid decision .* step 1: update: expected 'apply' or 'skip' or 'rescue' but received 'jump'/,
    ],
    ['gives no reason', () => ({ update: 'skip' }), /reason: expected the reason/],
    [
      'exceeds a limit',
      () => ({ learningRateFactor: 5, reason: 'x' }),
      /learningRateFactor: expected a number of at most 4 but received 5/,
    ],
    ['rescues without a copy', () => ({ update: 'rescue', reason: 'x' }), /'rescue' only after/],
    ['has an unknown field', () => ({ lr: 5 }), /'lr'/],
  ];
  it.each(failing)('%s: a typed error ends the run', async (_, controller, message) => {
    const error = await failure(finetune(quick({ adaptive: { controller } as never })).result);
    expect(error.code).toMatch(/^ADAPTIVE_(CONTROLLER_FAILED|DECISION_INVALID)$/);
    expect(error.message).toMatch(message);
    if (error.code === 'ADAPTIVE_CONTROLLER_FAILED') expect(error.cause).toBeInstanceOf(TypeError);
    else expect(error.problems.length).toBeGreaterThan(0);
  });

  it('leaves a checkpoint of the last finished step', async () => {
    const checkpoint = { directory: at('checkpoints'), everySteps: 100 };
    const controller = ({ step }: AdaptiveMetrics) => {
      if (step === 6) throw new Error('broken');
      return undefined;
    };
    const error = await failure(finetune(quick({ checkpoint, adaptive: { controller } })).result);
    expect(error.hint).toContain(at('checkpoints'));
    const rest = await outcomeOf(
      quick({
        checkpoint: { ...checkpoint, resume: 'latest' },
        adaptive: { controller: () => undefined },
      }),
    );
    expect(rest.events.find(({ type }) => type === 'resume')).toMatchObject({ step: 5 });
    const whole = await outcomeOf(quick());
    expect(losses(rest)).toEqual(losses(whole));
  });

  it('or never answers: the run can be aborted while it waits', async () => {
    const checkpoint = { directory: at('checkpoints'), everySteps: 100 };
    let asked = () => {};
    const waiting = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const controller = ({ step }: AdaptiveMetrics) => {
      if (step < 3) return undefined;
      asked();
      return new Promise<undefined>(() => {});
    };
    const run = finetune(quick({ checkpoint, adaptive: { controller } }));
    await waiting;
    run.abort('enough');
    const error = await failure(run.result);
    expect(error).toMatchObject({ code: 'ABORTED', cause: 'enough' });
    expect(error.message).toContain('after step 2');
  });
});
