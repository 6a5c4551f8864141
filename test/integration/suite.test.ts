import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  LlamatuneError,
  PlanEstimate,
  RunSuiteOptions,
  SuiteEvent,
  SuiteOptions,
} from '../../src/index.js';
import { jsonLines, llamatune } from './command-line.js';
import { tinyModel } from './tiny-model.js';

// Trials run in separate processes, which need JavaScript: the build, not the sources.
const build = new URL('../../dist/index.js', import.meta.url).href;
const { bench, readResults, runSuite } = (await import(
  build
)) as typeof import('../../src/index.js');

const folder = mkdtempSync(join(tmpdir(), 'suite-test-'));
const output = (name: string) => join(folder, name);
const modelCache = join(folder, 'models');
let model: string;
beforeAll(async () => {
  model = await tinyModel();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const quick = { sequenceLength: 32, batchSize: 2, threads: 1 };
/** Trials 'seed 1', 'seed 2', … of a quick training. */
const seeds = (count: number, more: Partial<SuiteOptions> = {}): SuiteOptions => ({
  name: 'seeds',
  models: [model],
  measurePeak: false,
  benchmarks: [
    {
      task: 'training',
      steps: 3,
      options: quick,
      vary: { seed: Array.from({ length: count }, (_, i) => i + 1) },
    },
  ],
  ...more,
});

/** Runs a suite and calls `onEvent` for its events. */
async function run(
  options: RunSuiteOptions,
  onEvent: (event: SuiteEvent, abort: () => void) => void = () => {},
) {
  const suite = runSuite({ modelCache, ...options });
  for await (const event of suite) onEvent(event, suite.abort);
  return suite.result;
}

/** Does something to the process of the trial with this index as soon as it has started. */
const toTrial = (index: number, action: (pid: number) => void) => (event: SuiteEvent) => {
  if (event.type === 'trial' && event.index === index) action(event.pid);
};

describe('runSuite', () => {
  it('measures inference and training, and keeps every sample', async () => {
    const events: string[] = [];
    const results = await run(
      {
        suite: {
          name: 'both',
          models: [model],
          weightTypes: ['as-is', 'Q8_0'],
          benchmarks: [
            { task: 'inference', runs: 3, options: { maxTokens: 8, threads: 1 } },
            { task: 'training', steps: 3, options: quick },
          ],
        },
        output: output('both'),
      },
      (event) => events.push(event.type),
    );
    expect(results.trials.map(({ outcome }) => outcome.status)).toEqual(Array(4).fill('ok'));
    const [inference, , training] = results.trials;
    expect(inference!.measures.tokensPerSecond!.samples).toHaveLength(3);
    expect(inference!.measures.timeToFirstToken!.median).toBeGreaterThan(0);
    expect(training!.measures.tokensPerSecond!.samples).toHaveLength(3);
    expect(training!.series.loss).toHaveLength(4);
    expect(training!.measures.peakMemory!.median).toBeGreaterThan(50e6);
    const logs = readdirSync(join(output('both'), 'logs'));
    expect(logs[0]).toMatch(/^001-inference-.*\.log$/);
    expect(logs).toHaveLength(4);
    const log = jsonLines(readFileSync(join(output('both'), 'logs', logs[2]!), 'utf8'));
    expect(log.filter(({ type }) => type === 'step').map(({ loss }) => loss)).toEqual(
      training!.series.loss,
    );
    // random tokens have no epochs
    expect(training!.measures).not.toHaveProperty('epochTime');
    expect(training!.noise!.peakBefore).toBeGreaterThan(0);
    expect(readResults(join(output('both'), 'results.json'))).toEqual(results);
    expect(events).toEqual(
      expect.arrayContaining(['plan', 'model', 'trial', 'progress', 'sample']),
    );
  });

  it('records the suite so that it can be run again', async () => {
    const first = await run({ suite: seeds(2), output: output('first') });
    const suite = first.suite as unknown as SuiteOptions;
    const again = await run({ suite, output: output('again') });
    expect(again.trials.map(({ key, spec }) => ({ key, spec }))).toEqual(
      first.trials.map(({ key, spec }) => ({ key, spec })),
    );
    expect(again.suite).toEqual(first.suite);
    expect(first.versions['llama.cpp commit']).toMatch(/^[0-9a-f]{40}$/);
  });

  it('says that PEFT is missing, and measures the rest', async () => {
    const shape =
      'shape:qwen3-0.6b,layers=1,embeddingLength=64,heads=2,kvHeads=1,vocabularySize=512';
    const { trials } = await run({
      suite: {
        name: 'peft',
        models: [shape],
        weightTypes: ['F16'],
        measurePeak: false,
        benchmarks: [
          {
            task: 'peft',
            rounds: 1,
            sequenceLength: 32,
            batchSize: 1,
            python: join(folder, 'no-python'),
          },
        ],
      },
      output: output('peft'),
    });
    expect(trials.map(({ outcome }) => outcome)).toMatchObject([
      { status: 'ok' },
      { status: 'failed', code: 'PEFT_NOT_FOUND' },
    ]);
  });

  it('is also bench() with a suite', async () => {
    const suite = bench({ suite: seeds(1), output: output('bench'), modelCache });
    const types = new Set<string>();
    for await (const event of suite) types.add(event.type);
    expect([...types]).toEqual(['plan', 'trial', 'progress', 'sample']);
    expect((await suite.result).trials).toHaveLength(1);
  });

  it('extrapolates epochs of a dataset from measured steps', async () => {
    const dataset = output('rows.jsonl');
    const row = { text: 'The quick brown fox jumps.' };
    writeFileSync(dataset, `${JSON.stringify(row)}\n`.repeat(10));
    const options = { ...quick, loss: 'all', packing: false };
    const { trials } = await run({
      suite: {
        name: 'epochs',
        models: [model],
        measurePeak: false,
        benchmarks: [{ task: 'training', dataset, steps: 3, epochs: 4, options }],
      },
      output: output('epochs'),
    });
    const { stepTime, epochTime, trainingTime } = trials[0]!.measures;
    // 10 samples in batches of 2
    expect(epochTime!.mean / stepTime!.mean).toBeCloseTo(5, 6);
    expect(trainingTime!.mean / stepTime!.mean).toBeCloseTo(20, 6);
    expect(epochTime!.source).toBe('extrapolated');
    expect(epochTime!.interval![0]).toBeLessThanOrEqual(epochTime!.mean);
  });

  it('continues after trials that crash, hang, are killed or need too much memory', async () => {
    const act = [
      toTrial(0, (pid) => process.kill(pid, 'SIGSEGV')),
      toTrial(1, (pid) => process.kill(pid, 'SIGSTOP')),
      toTrial(2, (pid) => process.kill(pid, 'SIGKILL')),
    ];
    const results = await run(
      { suite: seeds(4, { limits: { minutes: 0.25 } }), output: output('ends') },
      (event) => {
        for (const each of act) each(event);
      },
    );
    expect(results.trials.map(({ outcome }) => outcome)).toMatchObject([
      { status: 'failed', code: 'SIGSEGV' },
      { status: 'timeout' },
      { status: 'failed', code: 'SIGKILL' },
      { status: 'ok' },
    ]);
    expect(results.finishedAt).not.toBeNull();
  });

  it('says OOM for a trial that exceeds the memory limit', async () => {
    const { trials } = await run({
      suite: seeds(1, { limits: { memoryBytes: 60e6 } }),
      output: output('oom'),
    });
    expect(trials[0]!.outcome.status).toBe('oom');
    expect(trials[0]!.outcome).toMatchObject({ message: expect.stringContaining('60.0 MB') });
  });

  it('says which error a trial failed with', async () => {
    const suite = seeds(1);
    const options = { ...quick, sequenceLength: 4096 };
    suite.benchmarks = [{ task: 'training', options }];
    const { trials } = await run({ suite, output: output('error') });
    expect(trials[0]!.outcome).toMatchObject({ status: 'failed', code: 'SEQUENCE_TOO_LONG' });
  });

  it('continues a suite that was aborted, without repeating finished trials', async () => {
    const target = output('aborted');
    const aborted = run({ suite: seeds(3), output: target }, (event, abort) => {
      if (event.type === 'trial' && event.index === 1) abort();
    });
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
    const first = readResults(join(target, 'results.json'));
    expect(first.trials).toHaveLength(1);
    expect(first.finishedAt).toBeNull();

    const again = run({ suite: seeds(3), output: target });
    await expect(again).rejects.toMatchObject({ code: 'RESULTS_EXIST' });
    const started: number[] = [];
    const results = await run({ suite: seeds(3), output: target, resume: true }, (event) => {
      if (event.type === 'trial') started.push(event.index);
    });
    expect(started).toEqual([1, 2]);
    expect(results.trials[0]).toEqual(first.trials[0]);
    expect(results.trials).toHaveLength(3);
  });

  it('refuses a folder that another suite writes to, and a file', async () => {
    const target = output('busy');
    const refused: unknown[] = [];
    await run({ suite: seeds(1), output: target }, (event) => {
      if (event.type !== 'trial') return;
      refused.push(run({ suite: seeds(1), output: target, resume: true }).catch((error) => error));
    });
    expect(await refused[0]).toMatchObject({ code: 'OUTPUT_IN_USE' });
    const file = output('a-file');
    writeFileSync(file, '');
    await expect(run({ suite: seeds(1), output: file })).rejects.toMatchObject({
      code: 'OUTPUT_NOT_WRITABLE',
    });
  });

  it("refuses a folder with files of the user's that it would overwrite", async () => {
    const target = output('mine');
    mkdirSync(target);
    writeFileSync(join(target, 'summary.md'), 'mine');
    await expect(run({ suite: seeds(1), output: target })).rejects.toMatchObject({
      code: 'RESULTS_EXIST',
      message: expect.stringContaining('summary.md'),
    });
    expect(readFileSync(join(target, 'summary.md'), 'utf8')).toBe('mine');
  });

  it('refuses to continue results of other trials', async () => {
    const target = output('other');
    await run({ suite: seeds(1), output: target });
    const suite = seeds(1);
    suite.benchmarks = [{ task: 'training', steps: 2, options: quick, vary: { seed: [1] } }];
    await expect(run({ suite, output: target, resume: true })).rejects.toMatchObject({
      code: 'RESULTS_MISMATCH',
    });
  });

  it('checks models and options of all trials before the first one', async () => {
    const of = (suite: SuiteOptions) =>
      run({ suite, output: output('never') }).catch((error: LlamatuneError) => error);
    expect(await of(seeds(1, { models: ['/no/such/model.gguf'] }))).toMatchObject({
      code: 'MODEL_NOT_FOUND',
    });
    const dataset = '/no/such/rows.jsonl';
    const benchmarks = [{ task: 'training' as const, dataset, options: quick }];
    expect(await of(seeds(1, { benchmarks }))).toMatchObject({ code: 'DATASET_NOT_FOUND' });
    expect(await of(seeds(1, { models: ['shape:qwen9'] }))).toMatchObject({
      code: 'SHAPE_UNKNOWN',
    });
    expect(
      await run({ suite: 'smoky' as 'smoke', output: output('never') }).catch((e) => e),
    ).toMatchObject({
      code: 'CONFIG_INVALID',
    });
    expect(existsSync(output('never'))).toBe(false);
  });
});

describe('llamatune bench --suite', () => {
  it('runs the smoke suite, writes its report and compares it', async () => {
    const target = output('smoke');
    const args = ['bench', '--suite', 'smoke', '--output', target, '--modelCache', modelCache];
    const { exit, stderr, stdout } = await llamatune(args);
    expect(stderr).toContain('[1/7]');
    expect({ exit, stdout }).toEqual({
      exit: 0,
      stdout: `${['results.json', 'summary.md', 'summary.txt', 'report.html']
        .map((name) => join(target, name))
        .join('\n')}\n`,
    });
    expect(readFileSync(join(target, 'summary.txt'), 'utf8')).toContain('Peak t/s');

    const file = join(target, 'results.json');
    const same = await llamatune(['bench', 'compare', file, file]);
    expect(same).toMatchObject({ exit: 0 });
    expect(same.stdout).toContain('mean speed ratio 1.000');

    const prices = ['--electricityPricePerKwh', '$0.30', '--cloudPricePerHour', '2.50 EUR'];
    expect(await llamatune(['bench', 'report', target, ...prices])).toMatchObject({ exit: 0 });
    expect(readFileSync(join(target, 'summary.txt'), 'utf8')).toContain('POWER AND COST');
    expect(readResults(file).suite.cloudPricePerHour).toBeUndefined();
    const noPrice = await llamatune(['bench', 'report', target, '--cloudPricePerHour', 'cheap']);
    expect(noPrice).toMatchObject({ exit: 2 });

    const slower = readResults(file);
    for (const { measures } of slower.trials) {
      const speed = measures.tokensPerSecond!;
      speed.samples = speed.samples.map((value) => value / 100);
      speed.median /= 100;
    }
    writeFileSync(join(target, 'slower.json'), JSON.stringify(slower));
    const worse = await llamatune(['bench', 'compare', file, join(target, 'slower.json')]);
    expect(worse).toMatchObject({ exit: 1 });
    expect(worse.stderr).toContain('BENCHMARK_WORSE');
  });

  it('prints the plan without running it, with estimates', async () => {
    const { exit, stdout } = await llamatune(['bench', '--suite', 'full', '--dryRun', '--json']);
    expect(exit).toBe(0);
    const [plan] = jsonLines(stdout) as unknown as [PlanEstimate];
    expect(plan.trials.length).toBeGreaterThan(50);
    // 0.6 and 4 billion parameters
    const of = (model: string) =>
      plan.trials.find(({ spec }) => spec.model === model && spec.kind === 'training')!;
    const ratio = of('shape:qwen3-4b').seconds! / of('shape:qwen3-0.6b').seconds!;
    expect(ratio).toBeGreaterThan(1.5);
    expect(plan.seconds).toBeGreaterThan(60);
    // five models in four types
    expect(plan.diskBytes).toBeGreaterThan(50e9);
  });

  it('reads a suite from a file', async () => {
    const file = output('suite.json');
    writeFileSync(file, JSON.stringify(seeds(2)));
    const { stdout } = await llamatune(['bench', '--suite', file, '--dryRun']);
    expect(stdout).toMatch(/2 trials, about .* on the CPU; models to make: 0 B/);
    writeFileSync(file, JSON.stringify({ ...seeds(2), benchmark: [] }));
    const wrong = await llamatune(['bench', '--suite', file, '--dryRun']);
    expect(wrong).toMatchObject({ exit: 2 });
    expect(wrong.stderr).toContain("did you mean 'benchmarks'?");
  });
});
