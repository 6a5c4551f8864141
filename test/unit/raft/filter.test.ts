import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/parse.js';
import { type RaftInput, raftSchema } from '../../../src/config/raft.js';
import { filterSamples } from '../../../src/raft/filter.js';
import type { RaftTask } from '../../../src/raft/prompts.js';
import type { RaftSample } from '../../../src/raft/samples.js';
import { failed } from '../../../src/verify/verifier.js';
import { answersTo, sampleOf } from './samples.js';

const filterOf = (filter: NonNullable<RaftInput['filter']>) =>
  parseConfig(raftSchema, {
    ...{ model: 'm', prompts: 'p', verifier: 'numeric', output: 'o' },
    filter,
  }).filter;

const task = (index: number, row: Record<string, unknown> = {}): RaftTask => ({
  index,
  prompt: 'question',
  row,
});

function kept(
  samples: readonly RaftSample[],
  filter: NonNullable<RaftInput['filter']> = {},
  tasks: readonly RaftTask[] = [],
) {
  const { kept: found, counts } = filterSamples(samples, filterOf(filter), tasks);
  return { names: found.map(({ index, sample }) => `${index}.${sample}`), counts };
}

const scored = (scores: readonly number[]): RaftSample[] =>
  scores.map((score, sample) =>
    sampleOf({ sample, verdict: { ...failed('compare', ''), score, passed: score === 1 } }),
  );

describe('filterSamples', () => {
  it('keeps all answers that passed', () => {
    const { names, counts } = kept([...answersTo(0, '+-+'), ...answersTo(1, '--')]);
    expect(names).toEqual(['0.0', '0.2']);
    expect(counts).toMatchObject({ samples: 5, notSelected: 3, kept: 2, promptsKept: 1 });
  });

  it('keeps the best ones above a score, passed or not', () => {
    const samples = scored([0.2, 0.9, 0.5, 0.9]);
    expect(kept(samples, { select: 'best', best: 2 }).names).toEqual(['0.1', '0.3']);
    expect(kept(samples, { select: 'best', best: 4, minScore: 0.6 }).names).toEqual(['0.1', '0.3']);
    expect(kept(samples, { select: 'best', best: 1, minScore: 0.95 }).names).toEqual([]);
  });

  it('keeps one of each prompt', () => {
    const samples = [...answersTo(0, '-++'), ...answersTo(1, '++')];
    const { names, counts } = kept(samples, { select: 'one' });
    expect(names).toEqual(['0.1', '1.0']);
    expect(counts.overMost).toBe(2);
  });

  it('keeps one of several texts that differ in white space only, per prompt', () => {
    const texts = ['a b', ' a\n b ', 'a c'].map((output, sample) => sampleOf({ output, sample }));
    const other = sampleOf({ index: 1, output: 'a b' });
    const { names, counts } = kept([...texts, other]);
    expect(names).toEqual(['0.0', '0.2', '1.0']);
    expect(counts.duplicates).toBe(1);
    expect(kept(texts, { dedupe: false }).names).toHaveLength(3);
  });

  it('limits the answers of a prompt', () => {
    expect(kept(answersTo(0, '+++'), { maxPerPrompt: 2 }).names).toEqual(['0.0', '0.1']);
  });

  it('leaves out answers that were cut off, unless told otherwise', () => {
    const samples = [sampleOf({ finishReason: 'length' }), sampleOf({ sample: 1 })];
    const { names, counts } = kept(samples);
    expect(names).toEqual(['0.1']);
    expect(counts.truncated).toBe(1);
    expect(kept(samples, { keepTruncated: true }).names).toEqual(['0.0', '0.1']);
  });

  it('leaves out answers without text, whatever the verifier says', () => {
    const { names, counts } = kept([sampleOf({ output: '' }), sampleOf({ sample: 1 })]);
    expect(names).toEqual(['0.1']);
    expect(counts.empty).toBe(1);
  });

  it('balances the values of a column, taking the first answers of all prompts first', () => {
    const tasks = ['arrays', 'arrays', 'strings'].map((category, i) => task(i, { category }));
    const samples = [...answersTo(0, '+++'), ...answersTo(1, '+'), ...answersTo(2, '++')];
    const { names, counts } = kept(samples, { balance: 'category' }, tasks);
    expect(names).toEqual(['0.0', '1.0', '2.0', '2.1']);
    expect(counts.unbalanced).toBe(2);
  });

  it('accounts for every answer', () => {
    const samples = [
      ...answersTo(0, '+-+-+'),
      sampleOf({ index: 1, finishReason: 'length' }),
      sampleOf({ index: 1, sample: 1, output: 'x' }),
      sampleOf({ index: 1, sample: 2, output: 'x' }),
    ];
    const { samples: all, promptsKept: _, ...parts } = kept(samples, { maxPerPrompt: 2 }).counts;
    expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBe(all);
  });

  it('keeps nothing of nothing', () => {
    expect(kept(answersTo(0, '---'), { balance: 'category' }, [task(0)]).names).toEqual([]);
  });
});
