import { describe, expect, it } from 'vitest';
import * as format from '../../src/format.js';

describe('format', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1500, '1.50 kB'],
    [12_340_000, '12.3 MB'],
    [7_620_000_000, '7.62 GB'],
    [null, '–'],
  ])('bytes %s', (value, text) => expect(format.bytes(value)).toBe(text));

  it.each([
    [512, '512'],
    [1536, '1.54 K'],
    [494_032_768, '494.0 M'],
    [7_615_616_512, '7.62 B'],
  ])('count %s', (value, text) => expect(format.count(value)).toBe(text));

  it.each([
    [12, '12 ms'],
    [4200, '4.2 s'],
    [59_960, '1 min 00 s'],
    [185_000, '3 min 05 s'],
    [7_620_000, '2 h 07 min'],
    [null, '–'],
    [Number.NaN, '–'],
  ])('duration %s', (value, text) => expect(format.duration(value)).toBe(text));

  it.each([
    [3.456, '3.46'],
    [42.06, '42.1'],
    [512.4, '512'],
    [12_345.6, '12,346'],
    [null, '–'],
  ])('rate %s', (value, text) => expect(format.rate(value)).toBe(text));

  it('writes accuracies in percent and other metrics as numbers', () => {
    expect(format.metrics({ tokenAccuracy: 0.6123, entropy: 1.23456 })).toEqual([
      'token accuracy 61.2 %',
      'entropy 1.2346',
    ]);
    expect(format.metrics({ tokenAccuracy: null })).toEqual(['token accuracy –']);
    expect(format.metrics({})).toEqual([]);
  });

  it('writes losses and learning rates', () => {
    expect(format.loss(1.23456)).toBe('1.2346');
    expect(format.loss(Number.NaN)).toBe('–');
    expect(format.learningRate(1e-4)).toBe('1.0e-4');
    expect(format.learningRate(0)).toBe('0');
    expect(format.integer(1_234_567)).toBe('1,234,567');
  });
});
