import { describe, expect, it } from 'vitest';
import { priceOf } from '../../src/price.js';

describe('priceOf', () => {
  it.each([
    [0.15, { amount: 0.15, prefix: '', suffix: '' }],
    ['0.15', { amount: 0.15, prefix: '', suffix: '' }],
    ['$0.15', { amount: 0.15, prefix: '$', suffix: '' }],
    ['0.30 EUR', { amount: 0.3, prefix: '', suffix: ' EUR' }],
    ['€ 2', { amount: 2, prefix: '€ ', suffix: '' }],
  ])('reads %s', (given, price) => {
    expect(priceOf(given)).toEqual(price);
  });

  it.each([undefined, '', 'cheap', '0,15', '-1', '1-2', '1.2.3'])(
    'takes %s for no price',
    (given) => {
      expect(priceOf(given)).toBeNull();
    },
  );
});
