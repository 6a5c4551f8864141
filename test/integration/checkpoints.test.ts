// Checkpoints through the public API: resume, abort, pause, early stopping.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  estimateMemory,
  type FinetuneEvent,
  type FinetuneOptions,
  type FinetuneRun,
  finetune,
  LlamatuneError,
} from '../../src/index.js';
import { folderPerTest } from '../folder-per-test.js';
import { jsonLines, llamatune } from './command-line.js';
import { tinyModel } from './tiny-model.js';

const at = folderPerTest();
let model: string;
beforeAll(async () => {
  model = await tinyModel();
});

const rows = Array.from({ length: 16 }, (_, i) => ({ prompt: `${i}?`, completion: ` ${i + 1}` }));
/** 4 steps per epoch. */
const quick = (more: Partial<FinetuneOptions> = {}): FinetuneOptions => ({
  ...{ model, dataset: rows, output: at('adapter.gguf'), epochs: 3 },
  ...{ sequenceLength: 32, batchSize: 4, threads: 1 },
  ...more,
});

type Checkpoint = NonNullable<FinetuneOptions['checkpoint']>;
const folder = (more: Partial<Checkpoint> = {}): Checkpoint => ({
  directory: at('checkpoints'),
  ...more,
});

async function follow(run: FinetuneRun, onEvent: (event: FinetuneEvent) => void = () => {}) {
  const events: FinetuneEvent[] = [];
  for await (const event of run) {
    events.push(event);
    onEvent(event);
  }
  return events;
}

async function failure(work: Promise<unknown>): Promise<LlamatuneError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(LlamatuneError);
  return error as LlamatuneError;
}

/** Runs until this step and aborts. */
async function aborted(options: FinetuneOptions, step: number): Promise<LlamatuneError> {
  const run = finetune(options);
  return failure(
    follow(run, (event) => {
      if (event.type === 'step' && event.step === step) run.abort('enough');
    }),
  );
}

describe('an aborted run', () => {
  it('writes a checkpoint, says how to continue, and continues with the same output', async () => {
    await finetune(quick({ output: at('whole.gguf') })).result;
    const options = quick({ checkpoint: folder({ resume: 'auto' }) });
    const error = await aborted(options, 5);
    expect(error).toMatchObject({ code: 'ABORTED', cause: 'enough' });
    expect(error.message).toMatch(/^the run was aborted after step \d+$/);
    const [name] = readdirSync(at('checkpoints'));
    expect(name).toMatch(/^checkpoint-\d+-[0-9a-f]{8}\.gguf$/);
    expect(error.hint).toContain(name);
    expect(existsSync(at('adapter.gguf'))).toBe(false);

    const events = await follow(finetune(options));
    const step = Number(/-(\d+)-/.exec(name!)![1]);
    expect(events.find(({ type }) => type === 'resume')).toMatchObject({
      step,
      path: at(`checkpoints/${name}`),
      history: { losses: { length: step }, learningRates: { length: step } },
    });
    expect(events.find(({ type }) => type === 'step')).toMatchObject({ step: step + 1 });
    expect(readFileSync(at('adapter.gguf')).equals(readFileSync(at('whole.gguf')))).toBe(true);
  });

  it('without a folder for checkpoints writes only its log', async () => {
    const error = await aborted(quick({ epochs: 1000 }), 2);
    expect(error.hint).toBe('start it again');
    expect(readdirSync(at())).toEqual(['adapter-log.jsonl']);
  });
});

describe('a resume with something else', () => {
  it('is refused with all differences, accepted if they are allowed, and more epochs always are', async () => {
    const first = quick({ checkpoint: folder({ everyEpoch: true }) });
    await finetune(first).result;
    const other = quick({
      dataset: rows.toReversed(),
      optimizer: { learningRate: 2e-4 },
      scheduler: { type: 'linear' },
      loss: 'all',
      chatTemplate: 'chatml',
      checkpoint: folder({ resume: 'latest' }),
    });
    const error = await failure(finetune(other).result);
    expect(error.code).toBe('CHECKPOINT_MISMATCH');
    const names = error.problems.map(({ path }) => path);
    expect(names.toSorted()).toEqual(
      ['chatTemplate', 'dataset', 'loss', 'optimizer.learningRate', 'scheduler.type'].toSorted(),
    );
    expect(error.message).toContain('scheduler.type is linear, but was cosine');
    expect(error.hint).toContain("allow: ['dataset', ");

    const allow = ['dataset', 'learningRate', 'scheduler', 'loss', 'chatTemplate'];
    const more = { ...other, epochs: 4, checkpoint: folder({ resume: { from: 'latest', allow } }) };
    const result = await finetune(more).result;
    expect(result.losses).toHaveLength(result.steps); // of the whole run
    expect(result.learningRates[3]).not.toBe(result.learningRates[4]);
    expect(result.warnings.map(({ code }) => code)).toEqual(['SCHEDULE_CHANGED']);
    const longer = await finetune({ ...first, epochs: 4, checkpoint: folder({ resume: 'latest' }) })
      .result;
    expect(longer.losses).toHaveLength(longer.steps);
  });

  it('is refused for another optimizer or mode, with only the differences that matter', async () => {
    await finetune(quick({ checkpoint: folder({ everyEpoch: true }) })).result;
    const resume = { checkpoint: folder({ resume: 'latest' }) };
    const optimizer = { type: 'sgd', learningRate: 2e-4 } as const;
    const other = await failure(finetune(quick({ ...resume, optimizer })).result);
    expect(other.problems.map(({ path }) => path)).toEqual([
      ...['optimizer.type', 'optimizer.learningRate'],
    ]);
    expect(other.hint).toMatch(
      /^Set optimizer\.type as in the run .* of the other options, .* allow: \['optimizer\.learningRate'\]/,
    );
    const full = await failure(
      finetune(quick({ ...resume, mode: 'full', lora: undefined })).result,
    );
    expect(full.problems[0]).toMatchObject({ path: 'mode' });
    expect(full.message).not.toMatch(/lora\.(alpha|dropout|rsLora)/);
  });

  it('gives the losses, evaluations and the curve of the whole run', async () => {
    const validation = { split: 0.25, everySteps: 2 };
    const whole = await finetune(quick({ output: at('whole.gguf'), validation })).result;
    const options = quick({ validation, modelCard: true, checkpoint: folder({ resume: 'auto' }) });
    await aborted(options, 5);
    const result = await finetune(options).result;
    expect(result.losses).toEqual(whole.losses);
    expect(result.losses).toHaveLength(whole.steps);
    expect(result.learningRates).toEqual(whole.learningRates);
    expect(result.evaluations).toEqual(whole.evaluations);
    expect(readFileSync(at('adapter-loss.svg'), 'utf8')).toContain(`${whole.steps} steps`);
  });

  it('is refused for options that no run can change, before the model is loaded', async () => {
    const allow = ['batchSize'];
    const run = finetune(quick({ checkpoint: folder({ resume: { from: 'latest', allow } }) }));
    expect(await failure(run.result)).toMatchObject({
      code: 'CONFIG_INVALID',
      problems: [{ path: 'checkpoint.resume.allow.0' }],
    });
  });

  it('is refused before the model is loaded if the path does not exist', async () => {
    const events: FinetuneEvent[] = [];
    const run = finetune(quick({ checkpoint: folder({ resume: at('missing.gguf') }) }));
    expect(await failure(follow(run, (event) => events.push(event)))).toMatchObject({
      code: 'CHECKPOINT_NOT_FOUND',
      message: expect.stringContaining(at('missing.gguf')),
    });
    expect(events).toHaveLength(1);
  });
});

describe('a checkpoint', () => {
  it('is not a model or an adapter, and the errors say what it is', async () => {
    await finetune(quick({ checkpoint: folder({ everyEpoch: true, keepLast: 1 }) })).result;
    const [name] = readdirSync(at('checkpoints'));
    const path = at(`checkpoints/${name}`);
    for (const run of [quick({ model: path }), quick({ lora: { initAdapter: path } })]) {
      const error = await failure(finetune(run).result);
      expect(error.message).toContain('is a checkpoint of a training');
      expect(error.hint).toContain('checkpoint.resume');
    }
  });
});

describe('full fine-tuning', () => {
  it('resumes with the same model, byte for byte', async () => {
    const options = (output: string, more: Partial<FinetuneOptions> = {}) => ({
      ...quick({ mode: 'full', output: at(output), epochs: 2 }),
      ...more,
    });
    await finetune(options('whole.gguf')).result;
    const resumable = options('model.gguf', { checkpoint: folder({ resume: 'auto' }) });
    await aborted(resumable, 3);
    const events = await follow(finetune(resumable));
    expect(events.filter(({ type }) => type === 'step').length).toBeLessThan(8);
    expect(readFileSync(at('model.gguf')).equals(readFileSync(at('whole.gguf')))).toBe(true);
  });

  it('counts the copy of the best weights in the memory estimate', async () => {
    const bytes = async (keepBest: boolean) => {
      const { dataset, output, ...options } = quick({ mode: 'full' });
      const validation = { split: 0.25, everySteps: 1, keepBest };
      return (await estimateMemory({ ...options, validation })).adapterBytes;
    };
    const [without, copied] = [await bytes(false), await bytes(true)];
    // gradients, and with keepBest as many values; buffers are aligned
    expect(Math.abs(copied - 2 * without)).toBeLessThan(100);
  });
});

describe('pause()', () => {
  it('pauses between two steps until continue(), also before the first one', async () => {
    const whole = await finetune(quick()).result;
    const run = finetune(quick());
    run.pause();
    expect(run.paused).toBe(true);
    const events = await follow(run, (event) => {
      if (event.type === 'pause') setTimeout(() => run.continue(), 50);
      if (event.type === 'step' && event.step === 1) run.pause();
    });
    const { losses, seconds, pausedSeconds, steps } = await run.result;
    expect([...losses]).toEqual([...whole.losses]);
    expect(pausedSeconds).toBeGreaterThan(0.09);
    expect(seconds).toBeGreaterThan(0);
    expect(steps).toBe(12);
    const pauses = events.filter(({ type }) => type === 'pause' || type === 'continue');
    expect(pauses.map(({ type }) => type)).toEqual(['pause', 'continue', 'pause', 'continue']);
    expect(pauses[0]).toEqual({ type: 'pause', step: 0 });
    expect(run.paused).toBe(false);
  });

  it('has no effect after the last step', async () => {
    const run = finetune(quick());
    const paused: boolean[] = [];
    const events = await follow(run, (event) => {
      if (event.type !== 'step' || event.step < 12) return;
      run.pause();
      paused.push(run.paused);
    });
    expect(events.map(({ type }) => type)).not.toContain('pause');
    run.pause();
    expect([...paused, run.paused]).toEqual([false, false]);
  });

  it('is over when the run ends', async () => {
    const run = finetune(quick());
    run.pause();
    await failure(follow(run, (event) => void (event.type === 'pause' && run.abort())));
    expect(run.paused).toBe(false);
  });

  it('does not keep a run from being aborted', async () => {
    const run = finetune(quick({ checkpoint: folder() }));
    const error = await failure(
      follow(run, (event) => {
        if (event.type === 'step' && event.step === 2) run.pause();
        if (event.type === 'pause') run.abort();
      }),
    );
    expect(error.hint).toContain('checkpoint.resume');
    expect(readdirSync(at('checkpoints'))).toHaveLength(1);
  });
});

describe('validation', () => {
  it('ends the run early and keeps the best adapter', async () => {
    const run = finetune(
      quick({
        epochs: 50,
        optimizer: { learningRate: 0.3 },
        validation: { split: 0.25, everySteps: 1, patience: 3, keepBest: true },
      }),
    );
    const { stoppedEarly, bestStep, bestValidationLoss, evaluations, steps } = await run.result;
    expect(stoppedEarly).toBe(true);
    expect(steps).toBe(bestStep! + 3);
    expect(bestValidationLoss).toBe(Math.min(...evaluations.map(({ loss }) => loss)));
  });

  it('refuses options that have no effect without evaluations', async () => {
    const run = finetune(
      quick({
        validation: { split: 0.25, patience: 2, keepBest: true },
        checkpoint: folder({ keepBest: true }),
      }),
    );
    expect((await failure(run.result)).problems.map(({ path }) => path)).toEqual([
      'validation.patience',
      'validation.keepBest',
      'checkpoint.keepBest',
    ]);
  });
});

describe('the command line', () => {
  const finetuneArgs = (...more: string[]) => [
    ...['finetune', '--model', model, '--dataset', at('train.jsonl'), '--loss', 'completion'],
    ...['--output', at('adapter.gguf'), '--sequenceLength', '32', '--batchSize', '4'],
    ...['--threads', '1', '--checkpoint.directory', at('checkpoints'), ...more],
  ];

  it.skipIf(process.platform === 'win32')(
    'writes a checkpoint on SIGINT and SIGTERM, and resumes',
    async () => {
      writeFileSync(at('train.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
      for (const [signal, exit] of [['SIGINT', 130] as const, ['SIGTERM', 143] as const]) {
        let sent = false;
        const args = finetuneArgs('--epochs', '1000000', '--checkpoint.resume', 'auto');
        const ended = await llamatune(args, {
          onOutput(text, child) {
            if (sent || !/step \d+\//.test(text)) return;
            sent = true;
            child.kill(signal);
          },
        });
        expect(ended.exit).toBe(exit);
        expect(ended.stdout).toMatch(
          /step \d+ {2}checkpoint .*checkpoint-\d+-[0-9a-f]{8}\.gguf\n$/,
        );
        expect(ended.stderr).toMatch(new RegExp(`^interrupted by ${signal}\nhint: .*resume`));
      }
      const resumed = finetuneArgs(
        ...['--checkpoint.resume', 'latest', '--checkpoint.resume.allow', 'epochs', '--json'],
      );
      const { exit, stdout } = await llamatune(resumed);
      expect(exit).toBe(0);
      expect(jsonLines(stdout).find(({ type }) => type === 'resume')).toBeDefined();
      expect(jsonLines(stdout).at(-1)).toMatchObject({ type: 'done' });
    },
  );
});
