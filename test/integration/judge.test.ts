import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type JudgeEvent,
  type JudgeOptions,
  type JudgeVerdict,
  judge,
  readJudgement,
} from '../../src/index.js';
import { folderPerTest } from '../folder-per-test.js';
import { jsonLines, llamatune, root } from './command-line.js';

const model = join(root, 'models', 'tiny-chat-q8_0.gguf');
const at = folderPerTest();

const QUESTIONS = ['What is 2 + 3?', 'Name a color.', 'Is ice cold?', 'Say hello.'];
const REFERENCES = ['5', 'Blue', 'Yes, it is.', 'Hello!'];
const samplesOf = (system: string, outputs: readonly string[]) =>
  outputs.map((output, index) => ({
    ...{ index, system, output, prompt: QUESTIONS[index]!, reference: REFERENCES[index]! },
  }));
const good = samplesOf('good', REFERENCES);
const bad = samplesOf('bad', ['7', 'A stone', 'Yes, it is.', 'What?']);
const ugly = samplesOf('ugly', ['x', 'y', 'z', '']);

const none = { left: 0, right: 0 };
const named = (samples: typeof good) => ({ system: samples[0]!.system, samples });
const systems = (...lists: (typeof good)[]) => ({ samples: lists.map(named) });

async function eventsOf(options: Omit<JudgeOptions, 'model'>) {
  const run = judge({ model, threads: 1, ...options });
  const events: JudgeEvent[] = [];
  for await (const event of run) events.push(event);
  const verdicts = events.filter((event) => event.type === 'verdict');
  return { events, verdicts, results: await run.result };
}

/** Outcomes of a comparison from its verdicts alone: 1, 0.5 or 0 for `left`, by row. */
function outcomes(verdicts: readonly JudgeVerdict[], left: string, right: string) {
  const rows = new Map<number, (string | null)[]>();
  for (const { answerA, answerB, index, winner } of verdicts) {
    const both = [answerA, answerB];
    if (!both.includes(left) || !both.includes(right)) continue;
    rows.set(index, [...(rows.get(index) ?? []), winner]);
  }
  return [...rows.values()].map(([first, second, ...others]): number => {
    expect(others).toEqual([]);
    if (first === second && first !== null) return first === left ? 1 : 0;
    return 0.5;
  });
}

describe('judge', () => {
  it('asks in both orders and counts what the judge says', async () => {
    const { events, verdicts, results } = await eventsOf(systems(good, bad, ugly));
    expect(events[0]).toEqual({
      ...{ type: 'plan', systems: ['good', 'bad', 'ugly'], rows: 4 },
      comparisons: [
        { left: 'good', right: 'bad', pairs: 4, missing: none },
        { left: 'good', right: 'ugly', pairs: 4, missing: none },
        { left: 'bad', right: 'ugly', pairs: 4, missing: none },
      ],
      check: { source: 'references', pairs: 4 },
      // the third answers of good and bad are identical
      questions: 2 * (4 + 3 + 4 + 4),
      finished: 0,
    });
    expect(verdicts).toHaveLength(30);
    expect(verdicts.every(({ verdict }) => verdict !== null)).toBe(true);
    for (const { left, right, missing, ...tally } of results.comparisons) {
      expect(missing).toEqual(none);
      const scores = outcomes(verdicts, left, right);
      const identical = left === 'good' && right === 'bad' ? 1 : 0;
      expect(tally).toMatchObject({ pairs: 4, identical, undecided: 0, invalid: 0 });
      expect(tally.verdicts).toBe(2 * scores.length);
      expect(tally.wins).toBe(scores.filter((score) => score === 1).length);
      expect(tally.losses).toBe(scores.filter((score) => score === 0).length);
      expect(tally.ties).toBe(4 - tally.wins - tally.losses);
      expect(tally.winRate).toBeCloseTo((tally.wins + tally.ties / 2) / 4);
      const own = verdicts.filter(({ answerA, answerB }) =>
        [left, right].every((name) => name === answerA || name === answerB),
      );
      const named = own.filter(({ verdict }) => verdict !== 'tie');
      const first = named.filter(({ verdict }) => verdict === 'A').length;
      expect(tally.firstShare).toBe(named.length === 0 ? null : first / named.length);
    }
    const checked = outcomes(verdicts, 'better', 'worse');
    expect(results.check!.winRate).toBeCloseTo(checked.reduce((a, b) => a + b) / checked.length);
  });

  it('gives the same verdicts again, however many are decoded together', async () => {
    const options = { ...systems(good, bad), seed: 3, temperature: 0.8, explain: true };
    const [alone, together] = [
      await eventsOf({ ...options, parallel: 1 }),
      await eventsOf({ ...options, parallel: 8 }),
    ];
    const { seconds: _, ...results } = alone.results;
    expect(together.results).toMatchObject(results);
    expect(alone.verdicts.some(({ explanation }) => explanation !== '')).toBe(true);
  });

  it('writes its files, and refuses to replace them', async () => {
    const output = at('judged');
    const options = { ...systems(good, bad), baseline: 'bad', check: 'none', output } as const;
    const { results, verdicts } = await eventsOf(options);
    expect(results.check).toBeNull();
    expect(readJudgement(join(output, 'results.json'))).toEqual(results);
    expect(readFileSync(join(output, 'summary.md'), 'utf8')).toContain('good against bad');
    const lines = jsonLines(readFileSync(join(output, 'verdicts.jsonl'), 'utf8'));
    expect(lines).toHaveLength(6);
    expect(lines.map(({ index }) => index)).toEqual([0, 0, 1, 1, 3, 3]);
    for (const { type: _, done: __, of: ___, etaMs: ____, ...verdict } of verdicts)
      expect(lines).toContainEqual(verdict);
    await expect(eventsOf(options)).rejects.toMatchObject({ code: 'RESULTS_EXIST' });
  });

  it('leaves the folder free if there is no verdict', async () => {
    const output = at('judged');
    writeFileSync(at('broken.gguf'), 'not a model');
    const options = { ...systems(good, bad), check: 'none', output } as const;
    const run = judge({ ...options, model: at('broken.gguf') });
    await expect(run.result).rejects.toMatchObject({ code: 'NOT_A_GGUF' });
    await eventsOf(options);
    expect(existsSync(join(output, 'verdicts.jsonl'))).toBe(true);
  });

  it('counts verdicts that are not valid', async () => {
    const free = await eventsOf({ ...systems(good, bad), constrained: false, maxTokens: 1 });
    const [tally] = free.results.comparisons;
    const invalid = free.verdicts.filter(({ check, verdict }) => !check && verdict === null);
    expect(tally).toMatchObject({ invalid: invalid.length, verdicts: 6 });
    expect(tally!.wins + tally!.ties + tally!.losses + tally!.undecided).toBe(4);

    const long = samplesOf('long', ['word '.repeat(2000), 'Red', 'Yes', 'Hi']);
    const { results, verdicts } = await eventsOf({ ...systems(good, long), check: 'none' });
    expect(results.comparisons[0]).toMatchObject({ pairs: 4, undecided: 1, invalid: 2 });
    expect(results.failures).toEqual([
      { code: 'PROMPT_TOO_LONG', message: expect.any(String), questions: 2 },
    ]);
    expect(verdicts.filter(({ error }) => error?.code === 'PROMPT_TOO_LONG')).toHaveLength(2);
  });

  it('counts answers that a system did not give, and does not judge their pairs', async () => {
    const some = good.map((each) => ({
      ...each,
      output: each.index === 1 ? null : each.output,
      // as raft writes it
      ...(each.index === 3 ? { output: '', finishReason: 'error' as const } : {}),
    }));
    const samples = [
      { system: 'some', samples: some },
      { system: 'bad', samples: bad },
    ];
    const { results, verdicts } = await eventsOf({ samples, check: 'none' });
    const missing = { left: 2, right: 0 };
    expect(results.comparisons[0]).toMatchObject({ pairs: 2, identical: 1, missing });
    expect(verdicts.map(({ index }) => index)).toEqual([0, 0]);
    const empty = samples.map((each) => ({ ...each, samples: some }));
    empty[1] = { system: 'bad', samples: bad.map((each) => ({ ...each, output: null as never })) };
    await expect(eventsOf({ samples: empty })).rejects.toMatchObject({ code: 'SAMPLES_INVALID' });
  });

  it('fails if no question can be answered', async () => {
    const run = eventsOf({ ...systems(good, bad), contextLength: 20, maxTokens: 4 });
    await expect(run).rejects.toMatchObject({ code: 'PROMPT_TOO_LONG' });
  });

  it('continues an aborted run, and returns the results of a complete one', async () => {
    const options = { ...systems(good, bad, ugly), explain: true, check: 'none' } as const;
    const output = at('judged');
    const run = judge({ model, ...options, output, parallel: 1 });
    for await (const event of run) {
      if (event.type === 'verdict' && event.done === 3) break;
    }
    run.abort();
    await expect(run.result).rejects.toMatchObject({
      code: 'ABORTED',
      hint: expect.stringContaining('--resume'),
    });
    expect(existsSync(join(output, 'results.json'))).toBe(false);
    await expect(eventsOf({ ...options, output })).rejects.toMatchObject({
      code: 'RESULTS_EXIST',
      hint: expect.stringContaining('--resume'),
    });
    const changed = eventsOf({
      ...options,
      samples: [good, ugly].map(named),
      output,
      resume: true,
    });
    await expect(changed).rejects.toMatchObject({
      code: 'RESULTS_MISMATCH',
      message: expect.stringContaining('another value of questions'),
    });
    const continued = await eventsOf({ ...options, output, resume: true });
    const { finished, questions } = continued.events[0] as Extract<JudgeEvent, { type: 'plan' }>;
    expect(finished).toBeGreaterThanOrEqual(3);
    expect(continued.verdicts).toHaveLength(questions - finished);
    const { seconds: _, ...whole } = (await eventsOf(options)).results;
    expect(continued.results).toMatchObject(whole);
    const again = await eventsOf({ ...options, output, resume: true });
    expect(again.events).toEqual([{ ...continued.events[0], finished: questions }]);
    expect(again.results).toEqual(continued.results);
  });

  it('gives the same files after kills', async () => {
    const options = { model, ...systems(good, bad, ugly), explain: true, threads: 1, resume: true };
    const config = (name: string) => {
      writeFileSync(at(`${name}.json`), JSON.stringify({ ...options, output: at(name) }));
      return ['judge', '--config', at(`${name}.json`), '--json'];
    };
    const whole = await llamatune(config('whole'));
    expect(whole.exit).toBe(0);
    for (const moment of [/"done":1,/, /"done":7,/, /"done":20,/]) {
      const { exit } = await llamatune(config('killed'), {
        onOutput: (text, child) => void (moment.test(text) && child.kill('SIGKILL')),
      });
      expect(exit).toBeNull();
      expect(existsSync(at('killed/results.json'))).toBe(false);
    }
    const { exit, stdout } = await llamatune(config('killed'));
    expect(exit).toBe(0);
    const { finished, questions } = jsonLines(stdout)[0] as { finished: number; questions: number };
    expect(finished).toBeGreaterThanOrEqual(20);
    expect(finished).toBeLessThan(questions);
    const read = (path: string) => readFileSync(at(path), 'utf8');
    expect(read('killed/verdicts.jsonl') === read('whole/verdicts.jsonl')).toBe(true);
    const results = (folder: string) => {
      const { seconds: _, ...others } = readJudgement(at(`${folder}/results.json`));
      return others;
    };
    expect(results('killed')).toEqual(results('whole'));
    expect(readdirSync(at('killed')).sort()).toEqual(readdirSync(at('whole')).sort());
  });

  it('runs from the command line', async () => {
    for (const [name, rows] of Object.entries({ good, bad })) {
      const lines = rows.map((row) => `${JSON.stringify(row)}\n`);
      writeFileSync(at(`${name}.jsonl`), lines.join(''));
    }
    const [one, two] = [at('good.jsonl'), at('bad.jsonl')];
    const args = ['judge', '--model', model, '--samples', `a=${one},${two}`, '--checkPairs', '2'];
    const text = await llamatune(args);
    expect(text.stdout).toContain('a against bad');
    expect(text.stdout).toContain('pairs with a known winner');
    expect(text.stderr).toContain('1 comparison, 10 questions');
    expect(text.exit).toBe(0);
    const json = await llamatune([...args, '--json']);
    const lines = jsonLines(json.stdout);
    expect(lines.map(({ type }) => type)).toEqual([
      ...['plan', ...Array(10).fill('verdict'), 'done'],
    ]);
    const missing = await llamatune(['judge', '--model', model, '--samples', `${one},none.jsonl`]);
    expect(missing.stderr).toContain('error SAMPLES_NOT_FOUND: samples not found');
    expect(missing.exit).toBe(1);
  });
});
