import { describe, expect, it } from 'vitest';
import { type JudgedPair, outcomeOf, tallyOf, winnerOf } from '../../../src/judge/tally.js';
import type { JudgeChoice } from '../../../src/judge/verdict.js';

const pair = (
  leftFirst: JudgeChoice | null,
  rightFirst: JudgeChoice | null,
  index = 0,
): JudgedPair => ({ index, verdicts: { leftFirst, rightFirst } });
const identical = (index = 0): JudgedPair => ({ index, verdicts: null });

describe('winnerOf', () => {
  it('names the answer, not its place', () => {
    expect(winnerOf('A', false)).toBe('left');
    expect(winnerOf('A', true)).toBe('right');
    expect(winnerOf('B', false)).toBe('right');
    expect(winnerOf('B', true)).toBe('left');
    expect(winnerOf('tie', true)).toBe('tie');
  });
});

describe('outcomeOf', () => {
  it.each([
    ['A', 'B', 'left'],
    ['B', 'A', 'right'],
    ['tie', 'tie', 'tie'],
    // always the first answer: the place decides, not the answer
    ['A', 'A', 'tie'],
    ['B', 'B', 'tie'],
    ['A', 'tie', 'tie'],
    ['tie', 'A', 'tie'],
    ['A', null, null],
    [null, 'B', null],
    [null, null, null],
  ] as const)('of %s and %s is %s', (leftFirst, rightFirst, outcome) => {
    expect(outcomeOf(pair(leftFirst, rightFirst))).toBe(outcome);
  });

  it('of identical answers is a tie', () => {
    expect(outcomeOf(identical())).toBe('tie');
  });
});

describe('tallyOf', () => {
  const pairs = [
    pair('A', 'B', 0), // left
    pair('A', 'B', 1), // left
    pair('B', 'A', 2), // right
    pair('A', 'A', 3), // tie: the orders disagree
    pair('tie', 'tie', 4),
    pair('A', null, 5), // undecided
    identical(6),
  ];

  it('counts every pair and every verdict', () => {
    const tally = tallyOf(pairs, { seed: 1 });
    expect(tally).toMatchObject({
      ...{ pairs: 7, wins: 2, losses: 1, ties: 3, identical: 1, undecided: 1 },
      ...{ verdicts: 12, invalid: 1 },
    });
    expect(tally.wins + tally.losses + tally.ties + tally.undecided).toBe(tally.pairs);
    expect(tally.winRate).toBeCloseTo(3.5 / 6);
    expect(tally.agreement).toBeCloseTo(4 / 5);
    // A: rows 0, 1, 2, 3, 3, 5; B: rows 0, 1, 2
    expect(tally.firstShare).toBeCloseTo(6 / 9);
  });

  it('has a win rate of the other side that adds up to 1', () => {
    const mirrored = pairs.map(({ index, verdicts }) => ({
      index,
      verdicts: verdicts && { leftFirst: verdicts.rightFirst, rightFirst: verdicts.leftFirst },
    }));
    const [left, right] = [tallyOf(pairs, { seed: 1 }), tallyOf(mirrored, { seed: 1 })];
    expect(left.winRate! + right.winRate!).toBeCloseTo(1);
    expect([right.wins, right.losses]).toEqual([left.losses, left.wins]);
    expect(right.firstShare).toBe(left.firstShare);
  });

  it('counts an invalid verdict of the check as wrong', () => {
    const counted = tallyOf(pairs, { seed: 1, invalidAsLoss: true });
    expect(counted.winRate).toBeCloseTo(3.5 / 7);
    expect(counted.undecided).toBe(1);
  });

  it('draws rows, not samples', () => {
    const of = (indices: number[]) =>
      tallyOf(
        indices.map((index, i) => (i < 6 ? pair('A', 'B', index) : pair('B', 'A', index))),
        { seed: 3 },
      );
    const alone = of([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    const grouped = of([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
    expect(grouped.winRate).toBe(alone.winRate);
    const width = ({ interval }: typeof alone) => interval![1] - interval![0];
    expect(width(grouped)).toBeGreaterThan(1.5 * width(alone));
    expect(alone.p).toBeGreaterThan(0.9);
  });

  it('tells a clear winner from chance, and gives the same numbers again', () => {
    const clear = Array.from({ length: 20 }, (_, i) => pair('A', i < 18 ? 'B' : 'A', i));
    const tally = tallyOf(clear, { seed: 5 });
    expect(tally.p).toBeLessThan(0.001);
    expect(tally.interval![0]).toBeGreaterThan(0.5);
    expect(tallyOf(clear, { seed: 5 })).toEqual(tally);
  });

  it('has no rates without a decided pair', () => {
    expect(tallyOf([pair(null, 'A')], { seed: 1 })).toMatchObject({
      ...{ winRate: null, interval: null, p: null, agreement: null, undecided: 1, invalid: 1 },
    });
    expect(tallyOf([identical()], { seed: 1 })).toMatchObject({
      ...{ winRate: 0.5, agreement: null, firstShare: null, verdicts: 0 },
    });
  });
});
