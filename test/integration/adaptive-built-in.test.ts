// The built-in controller of adaptive training, and resumed runs.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type AdaptiveController,
  type AdaptiveDecision,
  type AdaptiveMetrics,
  builtInController,
  type FinetuneOptions,
  finetune,
  type InterventionEvent,
  type LlamatuneError,
} from '../../src/index.js';
import {
  adaptiveSetup,
  demo,
  failure,
  interventions,
  kinds,
  losses,
  type Outcome,
  outcomeOf,
  rows,
  tooFast,
} from './adaptive-runs.js';
import { jsonLines, llamatune } from './command-line.js';

const { at, quick } = adaptiveSetup();

describe('the built-in controller', () => {
  it('undoes the damage of one update with a huge learning rate, and static training does not', async () => {
    const limits = { maxFactor: 100 };
    /** Multiplies the learning rate of step 20 by 100. */
    const injecting = (inner?: AdaptiveController) => (metrics: AdaptiveMetrics) => {
      const seen = { ...metrics, learningRateFactor: 1 };
      const decision = (inner?.decide(seen) ?? {}) as AdaptiveDecision;
      const factor = metrics.step === 20 ? 100 : (decision.learningRateFactor ?? 1);
      return { reason: 'injected', ...decision, learningRateFactor: factor };
    };
    const clean = await outcomeOf(demo(at('adapter.gguf')));
    const damaged = await outcomeOf(
      demo(at('adapter.gguf'), { adaptive: { limits, controller: injecting() } }),
    );
    const controller = injecting(builtInController());
    const rescued = await outcomeOf(demo(at('adapter.gguf'), { adaptive: { limits, controller } }));
    const [end, start] = [clean.result.finalValidationLoss!, losses(clean)[0]!];
    expect(end).toBeLessThan(0.2 * start);
    expect(damaged.result.finalValidationLoss).toBeGreaterThan(3 * end);
    expect(kinds(rescued)).toContain('rescue');
    expect(rescued.result.finalValidationLoss).toBeLessThan(1.25 * end);
  });

  it('rescues a run whose learning rate is a hundred times too high, with the same decisions each time', async () => {
    const plain = await outcomeOf(demo(at('adapter.gguf'), tooFast));
    const first = await outcomeOf(demo(at('adapter.gguf'), { ...tooFast, adaptive: {} }));
    const second = await outcomeOf(demo(at('adapter.gguf'), { ...tooFast, adaptive: {} }));
    expect(kinds(first)).toContain('rescue');
    expect(first.result.finalValidationLoss).toBeLessThan(plain.result.finalValidationLoss!);
    expect(interventions(second)).toEqual(interventions(first));
    expect(losses(second)).toEqual(losses(first));
  });

  it('skips the batch of poisoned rows, and the loss ends near that of the clean rows', async () => {
    const poison = Array(4).fill({ prompt: '1?', completion: ` ${'\u0001\u0002zQ'.repeat(5)}` });
    const many = Array(10).fill(rows).flat();
    const train = {
      ...{ epochs: 1, shuffle: false, validation: { dataset: rows } },
      optimizer: { learningRate: 5e-3, maxGradientNorm: 0 },
    };
    const clean = await outcomeOf(quick({ ...train, dataset: [...many, ...many] }));
    const dataset = [...many, ...poison, ...many];
    const plain = await outcomeOf(quick({ ...train, dataset }));
    const adaptive = await outcomeOf(quick({ ...train, dataset, adaptive: {} }));
    expect(interventions(adaptive)).toMatchObject([{ kind: 'skip', step: 41 }]);
    const damage = ({ result }: Outcome) =>
      result.finalValidationLoss! - clean.result.finalValidationLoss!;
    expect(damage(plain)).toBeGreaterThan(0);
    expect(Math.abs(damage(adaptive))).toBeLessThan(damage(plain) / 2);
  });
});

describe('a resumed adaptive run', () => {
  const restless = (): FinetuneOptions =>
    quick({
      epochs: 6,
      optimizer: { learningRate: 1, maxGradientNorm: 0 },
      validation: { dataset: rows.slice(0, 4), everySteps: 3 },
      microBatchSize: 2,
      adaptive: {
        growth: 1.1,
        batch: { enabled: true, every: 4 },
        extend: { enabled: true, minImprovement: 0 },
        limits: { maxEpochs: 8 },
        rescue: { keepEvery: 3 },
      },
    });

  it('continues exactly after an abort at any step', async () => {
    const whole = await outcomeOf(restless());
    const adapter = readFileSync(at('adapter.gguf'));
    expect(new Set(kinds(whole)).size).toBeGreaterThan(1);
    expect(kinds(whole)).toContain('extend');
    expect(whole.result.epochs).toBeGreaterThan(6);
    const all: InterventionEvent[] = [];
    const checkpoint = { directory: at('checkpoints'), everySteps: 100, resume: 'auto' } as const;
    for (let stop = 2; ; stop += 3) {
      const run = finetune({ ...restless(), checkpoint });
      try {
        for await (const event of run) {
          if (event.type === 'intervention') all.push(event);
          if (event.type === 'step' && event.step >= stop) run.abort();
        }
        const { epochs, interventions: ofResult } = await run.result;
        expect(ofResult).toEqual(whole.result.interventions);
        expect(epochs).toBe(whole.result.epochs);
        break;
      } catch (error) {
        expect((error as LlamatuneError).code).toBe('ABORTED');
        // the events of a step that was not finished come again
        const done = Number(/after step (\d+)/.exec((error as Error).message)?.[1]);
        while ((all.at(-1)?.step ?? 0) > done) all.pop();
      }
    }
    expect(all).toEqual(interventions(whole));
    expect(readFileSync(at('adapter.gguf')).equals(adapter)).toBe(true);
  });

  it('continues exactly when it is killed, and can rescue to a copy from before', async () => {
    const { model: path, dataset, optimizer, lora, ...rest } = demo(at('adapter.gguf'), tooFast);
    const options = Object.entries({
      ...rest,
      validation: undefined,
      scheduler: undefined,
    })
      .filter(
        ([name, value]) => value !== undefined && !['output', 'modelCard', 'runLog'].includes(name),
      )
      .flatMap(([name, value]) => [`--${name}`, String(value)]);
    const args = (output: string, ...more: string[]) => [
      ...[
        'finetune',
        '--model',
        String(path),
        '--dataset',
        String(dataset),
        '--output',
        at(output),
      ],
      ...[...options, '--optimizer.learningRate', '0.04', '--scheduler.warmupSteps', '4', '--json'],
      ...[
        '--lora.rank',
        '16',
        '--adaptive.rescue.enabled',
        '--no-modelCard',
        '--no-runLog',
        ...more,
      ],
    ];
    const whole = await llamatune(args('whole.gguf'));
    expect(whole.exit).toBe(0);
    const rescue = jsonLines(whole.stdout).find(({ kind }) => kind === 'rescue');
    expect(rescue).toBeDefined();
    const resumed = args(
      'adapter.gguf',
      ...['--checkpoint.directory', at('checkpoints'), '--checkpoint.everySteps', '1'],
      ...['--checkpoint.resume', 'auto'],
    );
    // the second kill is between the copy and the rescue
    for (const step of [2, Number(rescue?.step) - 1]) {
      let running = true;
      await llamatune(resumed, {
        onOutput(text, child) {
          if (!running || !text.includes(`"type":"step","step":${step},`)) return;
          running = false;
          child.kill('SIGKILL');
        },
      });
    }
    const last = await llamatune(resumed);
    expect(last.exit).toBe(0);
    expect(jsonLines(last.stdout).some(({ type }) => type === 'resume')).toBe(true);
    expect(readFileSync(at('adapter.gguf')).equals(readFileSync(at('whole.gguf')))).toBe(true);
  });

  it('needs the options of its checkpoint, or an allowance for the others', async () => {
    const checkpoint = { directory: at('checkpoints'), everySteps: 5 };
    const stop = ({ step }: AdaptiveMetrics) =>
      step === 5 ? { stop: true, reason: 'enough' } : undefined;
    await outcomeOf(quick({ checkpoint, adaptive: { controller: stop } }));
    const other = { ...checkpoint, resume: 'latest' } as const;
    const error = await failure(finetune(quick({ checkpoint: other, adaptive: {} })).result);
    expect(error.code).toBe('CHECKPOINT_MISMATCH');
    expect(error.problems.map(({ path }) => path)).toContain('adaptive.controller');
    // a static run continues at the same place in the data
    const resume = { from: 'latest', allow: ['adaptive'] };
    const rest = await outcomeOf(quick({ checkpoint: { ...checkpoint, resume } }));
    expect(losses(rest)).toEqual(losses(await outcomeOf(quick())));
  });

  it('refuses a controller that cannot take the state of the checkpoint', async () => {
    const checkpoint = { directory: at('checkpoints'), everySteps: 5 };
    const decide = ({ step }: AdaptiveMetrics) => {
      if (step === 7) throw new Error('broken');
      return undefined;
    };
    const controller = { decide, save: () => ({ n: 1 }) };
    await failure(finetune(quick({ checkpoint, adaptive: { controller } })).result);
    const resumed = { ...checkpoint, resume: 'latest' } as const;
    const error = await failure(
      finetune(quick({ checkpoint: resumed, adaptive: { controller: decide } })).result,
    );
    expect(error.message).toContain('no restore()');
    const states: unknown[] = [];
    const restore = (state: unknown) => void states.push(state);
    await outcomeOf(
      quick({
        checkpoint: resumed,
        adaptive: { controller: { decide: () => undefined, restore } },
      }),
    );
    expect(states).toEqual([{ n: 1 }]);
  });
});
