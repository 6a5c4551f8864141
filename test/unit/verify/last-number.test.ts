import { describe, expect, it } from 'vitest';
import { lastNumber } from '../../../src/verify/last-number.js';

describe('lastNumber', () => {
  it.each([
    ['42', 42],
    ['The answer is 42.', 42],
    ['12 apples and 30 pears make 42 fruits', 42],
    ['#### 1,234', 1234],
    ['$1,234,567.50', 1234567.5],
    ['1,2,3', 3],
    ['12,34', 34],
    ['x = -3', -3],
    ['x = −3', -3],
    ['(-3)', -3],
    ['+7', 7],
    ['5-3', 3],
    ['The answer is -3', -3],
    ['f(2)-3', 3],
    ['a-3', 3],
    ['- 3', 3],
    ['2020-2024', 2024],
    ['3/4', 0.75],
    ['-3/4', -0.75],
    ['3 / 4', 0.75],
    ['1/0', null],
    ['7 and 1/0', 7],
    ['1/2/2024', 2024],
    [String.raw`\frac{3}{4}`, 0.75],
    [String.raw`$\boxed{42}$`, 42],
    ['1{,}234', 1234],
    ['1.5e3', 1500],
    ['1e-2', 0.01],
    ['.5', 0.5],
    ['-.5', -0.5],
    ['50%', 50],
    ['**42**', 42],
    ['42kg', 42],
    ['no number', null],
    ['', null],
  ])('of %j is %s', (text, value) => {
    if (value === null) expect(lastNumber(text)).toBeNull();
    else expect(lastNumber(text)).toBeCloseTo(value, 12);
  });

  it('is quick on a long text', () => {
    const started = performance.now();
    lastNumber('1,'.repeat(50_000));
    lastNumber(`1${',111'.repeat(100_000)},1`);
    lastNumber('1/'.repeat(50_000));
    lastNumber(' '.repeat(100_000));
    lastNumber('9'.repeat(100_000));
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
