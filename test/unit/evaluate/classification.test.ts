import { describe, expect, it } from 'vitest';
import {
  classify,
  type LabelPair,
  macroF1,
  macroF1Terms,
} from '../../../src/evaluate/classification.js';

const labels = ['yes', 'no', 'uncertain'];
const pairs = [
  { expected: 'yes', predicted: 'yes' },
  { expected: 'yes', predicted: 'yes' },
  { expected: 'yes', predicted: 'no' },
  { expected: 'no', predicted: 'no' },
  { expected: 'no', predicted: null },
];

describe('classify', () => {
  it('counts rows by expected and predicted label', () => {
    expect(classify(labels, pairs)).toEqual({
      labels,
      confusion: [
        [2, 1, 0, 0],
        [0, 1, 0, 1],
        [0, 0, 0, 0],
      ],
      unparsed: 1,
      perLabel: [
        { label: 'yes', rows: 3, precision: 1, recall: 2 / 3, f1: 4 / 5 },
        { label: 'no', rows: 2, precision: 1 / 2, recall: 1 / 2, f1: 1 / 2 },
        { label: 'uncertain', rows: 0, precision: null, recall: null, f1: null },
      ],
    });
  });
});

describe('macroF1', () => {
  const of = (given: readonly LabelPair[]) => {
    const sums = labels.flatMap(() => [0, 0]);
    for (const pair of given)
      for (const [i, term] of macroF1Terms(labels, pair).entries()) sums[i]! += term;
    return macroF1(sums);
  };

  it('is the mean over labels that rows or answers have', () => {
    expect(of(pairs)).toBeCloseTo((4 / 5 + 1 / 2) / 2, 12);
    // a label that only an answer has counts with F1 0
    expect(of([...pairs, { expected: 'yes', predicted: 'uncertain' }])).toBeCloseTo(
      (4 / 6 + 1 / 2 + 0) / 3,
      12,
    );
    expect(of([])).toBe(0);
  });
});
