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
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  describeAdapter,
  finetuneLora,
  type RaftEvent,
  type RaftOptions,
  type RaftSummary,
  raft,
  readRaftSummary,
  renderRaftReport,
  smokeTest,
} from '../../src/index.js';
import { folderPerTest } from '../folder-per-test.js';
import { jsonLines, llamatune } from './command-line.js';
import { decidedFiles, heldOut, model, raftOptions, trained } from './raft-setup.js';

const whole = mkdtempSync(join(tmpdir(), 'llamatune-raft-'));
const at = folderPerTest();
const events: RaftEvent[] = [];
let summary: RaftSummary;

beforeAll(async () => {
  const run = raft(raftOptions(whole));
  for await (const event of run) events.push(event);
  summary = await run.result;
});
afterAll(() => rmSync(whole, { recursive: true, force: true }));

/** The stages that a run started, in order. */
const stagesOf = (given: readonly RaftEvent[]) =>
  given.flatMap((event) =>
    event.type === 'stage'
      ? [`${event.stage}${event.cycle === null ? '' : ` ${event.cycle}`}`]
      : [],
  );

const lines = (path: string) => jsonLines(readFileSync(path, 'utf8'));

/** A run of a single prompt, without held-out prompts, which takes a second. */
const smallOptions = (more: Partial<RaftOptions> = {}): RaftOptions => ({
  ...raftOptions(at('out')),
  ...{ prompts: trained.slice(0, 2), evaluation: {}, samples: 2 },
  ...more,
});

async function eventsOf(options: RaftOptions) {
  const run = raft(options);
  const found: RaftEvent[] = [];
  for await (const event of run) found.push(event);
  return { events: found, summary: await run.result };
}

describe('raft()', () => {
  it('samples, trains and evaluates in cycles, between a baseline and a final evaluation', () => {
    expect(stagesOf(events)).toEqual([
      ...['baseline', 'samples 1', 'training 1', 'evaluation 1'],
      ...['samples 2', 'training 2', 'final'],
    ]);
    expect(summary.baseline.metrics).toMatchObject({ prompts: heldOut.length, samples: 3 });
    expect(summary.cycles[0]!.samples.metrics).toMatchObject({
      prompts: trained.length,
      samples: 4,
    });
    for (const { filter, training } of summary.cycles) {
      expect(filter!.kept).toBeGreaterThan(0);
      expect(training.loss).toBeGreaterThan(0);
      expect(training.steps).toBe(2 * Math.ceil(filter!.kept / 4));
    }
    expect(summary.change!.passAt1.n).toBe(heldOut.length);
    expect(summary).toEqual(readRaftSummary(join(whole, 'summary.json')));
  });

  it('writes samples with verdicts, the kept ones as a dataset, and readings of the hardware', async () => {
    const samples = lines(join(whole, 'cycle_1', 'samples.jsonl'));
    expect(samples).toHaveLength(trained.length * 4);
    expect(samples[0]).toMatchObject({
      ...{ index: 0, sample: 0, system: 'cycle 1', finishReason: 'eos' },
      verdict: { passed: expect.any(Boolean), stage: 'compare', compiled: null },
    });
    const passed = samples.filter(({ verdict }) => (verdict as { passed: boolean }).passed);
    const kept = lines(join(whole, 'cycle_1', 'kept.jsonl'));
    expect(kept.length).toBe(summary.cycles[0]!.filter!.kept);
    expect(kept.length).toBeLessThanOrEqual(passed.length);
    const readings = readFileSync(join(whole, 'cycle_1', 'hardware.csv'), 'utf8');
    expect(readings).toMatch(/^stage,time,/);
    const dataset = join(whole, 'cycle_1', 'kept.jsonl');
    const options = { model, dataset, output: at('adapter.gguf'), maxSteps: 1, sequenceLength: 64 };
    expect((await finetuneLora({ ...options, modelCard: false }).result).samples).toBe(kept.length);
  });

  it('continues the adapter of the cycle before', async () => {
    const [first, second] = await Promise.all(
      [1, 2].map((n) => describeAdapter(join(whole, `cycle_${n}`, 'checkpoint', 'adapter.gguf'))),
    );
    expect(second!.weights).toEqual(first!.weights);
    expect(summary.adapter).toBe(join(whole, 'cycle_2', 'checkpoint', 'adapter.gguf'));
    const left = readdirSync(join(whole, 'cycle_2', 'checkpoint'));
    expect(left.filter((name) => name.startsWith('checkpoint-'))).toEqual([]);
  });

  it('has a report with the tables of the guide', () => {
    const text = renderRaftReport(summary, { format: 'markdown' });
    expect(text).toContain('## Summary Table');
    expect(text).toMatch(/Cycle 1: .*kept \d+ samples, loss=\d/);
    expect(text).toContain('held-out prompts');
  });

  it('does nothing again that is finished', async () => {
    const before = decidedFiles(whole);
    const again = await eventsOf(raftOptions(whole, { resume: true }));
    expect(stagesOf(again.events)).toEqual([]);
    expect(again.summary).toEqual(summary);
    expect(decidedFiles(whole)).toEqual(before);
  });

  it('refuses the folder of another run, and files of another origin', async () => {
    await expect(raft(raftOptions(whole)).result).rejects.toMatchObject({ code: 'RESULTS_EXIST' });
    const changed = raftOptions(whole, { resume: true, samples: 5, prompts: heldOut });
    await expect(raft(changed).result).rejects.toMatchObject({
      code: 'RESULTS_MISMATCH',
      message: expect.stringMatching(/samples, prompts$/),
    });
    writeFileSync(at('final_samples.jsonl'), 'mine');
    await expect(raft(smallOptions({ output: at() })).result).rejects.toMatchObject({
      code: 'RESULTS_EXIST',
    });
    expect(readFileSync(at('final_samples.jsonl'), 'utf8')).toBe('mine');
    mkdirSync(at('other/cycle_2'), { recursive: true });
    writeFileSync(at('other/cycle_2/samples.jsonl'), 'mine');
    await expect(
      raft(smallOptions({ output: at('other'), cycles: 2 })).result,
    ).rejects.toMatchObject({ code: 'RESULTS_EXIST', message: expect.stringContaining('cycle_2') });
    await expect(
      raft(raftOptions(whole, { resume: true, verifier: 'exact' })).result,
    ).rejects.toMatchObject({ message: expect.stringMatching(/another value of verifier$/) });
  });

  it('continues with more cycles and more answers, as if they had been there from the start', async () => {
    const few = (more: Partial<RaftOptions> = {}) =>
      raftOptions(at('out'), { cycles: 1, evaluation: { prompts: heldOut, samples: 2 }, ...more });
    await raft(few()).result;
    await expect(raft(few({ resume: true, cycles: 2, samples: 5 })).result).rejects.toMatchObject({
      code: 'RESULTS_MISMATCH',
      message: expect.stringMatching(/another value of samples$/),
    });
    const cycles = await eventsOf(few({ resume: true, cycles: 2 }));
    // the evaluation after the first cycle has the answers of the final one
    expect(stagesOf(cycles.events)).toEqual(['samples 2', 'training 2', 'final']);
    const readings = readFileSync(at('out/cycle_1/hardware.csv'), 'utf8');
    expect(readings).not.toContain('final,');
    const more = await eventsOf(raftOptions(at('out'), { resume: true }));
    expect(stagesOf(more.events)).toEqual(['baseline', 'evaluation 1', 'final']);
    expect(decidedFiles(at('out'))).toEqual(decidedFiles(whole));
    const decided = ({ cycles: all, baseline, final, change, options }: RaftSummary) => ({
      ...{ options, change, baseline: baseline.metrics, final: final.metrics },
      cycles: all.map(({ samples, filter, evaluation, training: { loss, steps } }) => ({
        ...{ samples: samples.metrics, filter, loss, steps, evaluation: evaluation?.metrics },
      })),
    });
    expect(decided(more.summary)).toEqual(decided(summary));
    await expect(raft(few({ resume: true })).result).rejects.toMatchObject({
      code: 'RESULTS_MISMATCH',
      message: expect.stringMatching(/another value of cycles, evaluation.samples$/),
    });
  });

  it('continues with more cycles without held-out prompts', async () => {
    const options = smallOptions({ verifier: () => true });
    await raft({ ...options, cycles: 1 }).result;
    const { events: later, summary: raised } = await eventsOf({ ...options, resume: true });
    expect(stagesOf(later)).toEqual(['samples 2', 'training 2', 'final']);
    expect(raised.cycles.map(({ evaluation }) => evaluation)).toEqual([null, null]);
    await raft({ ...options, output: at('whole') }).result;
    const read = (name: string) => readFileSync(at(name), 'utf8');
    expect(read('out/final_samples.jsonl')).toBe(read('whole/final_samples.jsonl'));
  });

  it('fails before the training if no prompt can be answered, and leaves no folder behind', async () => {
    const verifier = () => true;
    const short = { maxTokens: 4, contextLength: 8 };
    await expect(raft(smallOptions({ verifier, generation: short })).result).rejects.toMatchObject({
      code: 'PROMPT_TOO_LONG',
      message: expect.stringMatching(/^baseline: none of the 2 prompts could be answered/),
      hint: expect.stringMatching(/./),
    });
    expect(existsSync(at('out'))).toBe(false);
    const long = trained.slice(0, 2).map((prompt) => ({
      messages: [{ role: 'user' as const, content: 'word '.repeat(2000) }],
      expected: (prompt as { expected: number }).expected,
    }));
    const options = smallOptions({ verifier, prompts: long, evaluation: { prompts: heldOut } });
    const found: RaftEvent[] = [];
    const run = raft(options);
    const read = async () => {
      for await (const event of run) found.push(event);
    };
    await expect(read()).rejects.toMatchObject({
      code: 'PROMPT_TOO_LONG',
      message: expect.stringMatching(/^cycle 1: none of the 2 prompts/),
    });
    expect(stagesOf(found)).toEqual(['baseline', 'samples 1']);
    await expect(raft({ ...options, resume: true }).result).rejects.toMatchObject({
      code: 'PROMPT_TOO_LONG',
    });
  });

  it('lets only one run write to a folder', async () => {
    const first = raft(smallOptions());
    for await (const event of first) if (event.type === 'plan') break;
    await expect(raft(smallOptions({ resume: true })).result).rejects.toMatchObject({
      code: 'OUTPUT_IN_USE',
    });
    await first[Symbol.asyncDispose]();
  });

  it('continues after an abort, with the same result', async () => {
    const run = raft(raftOptions(at('out')));
    const aborted = async () => {
      for await (const event of run) {
        if (event.type === 'sample' && event.cycle === 1 && event.done === 9) run.abort();
      }
    };
    await expect(aborted()).rejects.toMatchObject({
      code: 'ABORTED',
      hint: expect.stringContaining('--resume'),
    });
    const { events: later, summary: final } = await eventsOf(
      raftOptions(at('out'), { resume: true }),
    );
    expect(stagesOf(later)[0]).toBe('samples 1');
    expect(decidedFiles(at('out'))).toEqual(decidedFiles(whole));
    expect(final.change).toEqual(summary.change);
  });
});

describe('raft() with a verifier', () => {
  it('that always fails says so, trains nothing and goes to the end, or stops', async () => {
    const fails = smallOptions({ verifier: () => false });
    const { events: found, summary: final } = await eventsOf(fails);
    const warnings = found.filter(({ type }) => type === 'warning');
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toMatchObject({ code: 'NO_SAMPLES_KEPT' });
    expect(final).toMatchObject({ adapter: null, change: { verdict: 'no difference' } });
    expect(renderRaftReport(final, { format: 'text' })).toContain('nothing trained');
    const stops = smallOptions({ verifier: () => false, onNoneKept: 'stop', output: at('stops') });
    const { events: stopped } = await eventsOf(stops);
    expect(stagesOf(stopped)).toEqual(['baseline', 'samples 1', 'final']);
  });

  it('that throws ends with VERIFIER_FAILED, and continues when it is corrected', async () => {
    let calls = 0;
    const broken = function check() {
      if (++calls > 3) throw new Error('no such column');
      return true;
    };
    await expect(raft(smallOptions({ verifier: broken })).result).rejects.toMatchObject({
      code: 'VERIFIER_FAILED',
      message: expect.stringContaining('no such column'),
    });
    const corrected = function check() {
      return true;
    };
    const { summary: final } = await eventsOf(smallOptions({ verifier: corrected, resume: true }));
    expect(final.final.metrics!.passed).toBe(4);
  });

  it('that never answers can be aborted', async () => {
    const run = raft(smallOptions({ verifier: () => new Promise<never>(() => {}) }));
    for await (const event of run) if (event.type === 'stage') break;
    setTimeout(() => run.abort(), 500);
    await expect(run.result).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('answers the built-in C++ prompts, which can be balanced by category', async () => {
    const { events: found, summary: final } = await eventsOf(
      smallOptions({
        ...{ prompts: 'cpp', verifier: () => true, samples: 1, cycles: 1 },
        generation: { maxTokens: 8 },
        filter: { balance: 'category', keepTruncated: true },
      }),
    );
    expect(found[0]).toMatchObject({ type: 'plan', prompts: 16 });
    expect(final.prompts).toMatchObject({ name: 'cpp', count: 16 });
    expect(final.cycles[0]!.filter!.unbalanced).toBeGreaterThan(0);
  });

  it('works with one answer to one prompt', async () => {
    const one = smallOptions({ prompts: trained.slice(0, 1), samples: 1, verifier: () => true });
    const { summary: final } = await eventsOf(one);
    expect(final.final.metrics!.passAt).toEqual({ '1': { value: 1, interval: null } });
    expect(final.change!.passAt1).toMatchObject({ n: 1, interval: null });
  });

  it('is asked whether it can check every prompt before anything is generated', async () => {
    const incomplete = smallOptions({ prompts: ['What is larger?'] });
    await expect(raft(incomplete).result).rejects.toMatchObject({ code: 'VERIFIER_TASK_INVALID' });
    expect(existsSync(at('out/summary.json'))).toBe(false);
  });
});

describe('llamatune raft and test', () => {
  it('writes events, the summary and the report', async () => {
    writeFileSync(at('prompts.jsonl'), trained.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const { exit, stdout, stderr } = await llamatune([
      ...['raft', '--model', model, '--prompts', at('prompts.jsonl'), '--verifier', 'numeric'],
      ...['--output', at('out'), '--cycles', '1', '--samples', '2', '--json'],
      ...['--generation.maxTokens', '8', '--finetune.lora.rank', '2'],
    ]);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    const written = jsonLines(stdout);
    expect(written[0]).toMatchObject({ type: 'plan', prompts: trained.length });
    expect(written.at(-1)).toMatchObject({ type: 'done', result: { format: 'llamatune-raft' } });
    expect(existsSync(at('out/report.html'))).toBe(true);
  });

  it('names all problems of the options, also of nested ones', async () => {
    const { exit, stderr } = await llamatune([
      ...['raft', '--model', model, '--prompts', 'x.txt', '--output', at('out'), '--cycles', '0'],
      ...['--generation.topP', '2', '--finetune.lora.rank', '0', '--finetune.output', 'x'],
    ]);
    expect(exit).toBe(2);
    for (const name of ['cycles', 'generation.topP', 'finetune.output', 'verifier'])
      expect(stderr).toContain(`${name}: expected`);
  });

  it('tests in a folder that the next run removes after a kill', async () => {
    vi.stubEnv('TMPDIR', at());
    try {
      const run = smokeTest();
      for await (const event of run) if (event.type === 'sample') break;
      const names = readdirSync(at());
      expect(names).not.toEqual([]);
      for (const name of names) expect(name).toMatch(/^llamatune-[A-Za-z0-9]{6}$/);
      run.abort();
      await expect(run.result).rejects.toMatchObject({ code: 'ABORTED', hint: 'start it again' });
      expect(readdirSync(at())).toEqual([]);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('shows help without a level, and refuses another one', async () => {
    expect(await llamatune(['test'])).toMatchObject({
      exit: 0,
      stdout: expect.stringContaining('--level'),
    });
    expect((await llamatune(['test', '--level', 'all'])).exit).toBe(2);
  });
});
