import { expect, it } from 'vitest';
import { withPrices } from '../../../../src/bench/suite/results-file.js';
import { results } from '../../report/suite/fixture.js';

it('withPrices() replaces the given prices only, and refuses what is not one', () => {
  const { suite } = withPrices(results, { electricityPricePerKwh: '0.30 EUR' });
  expect(suite).toEqual({ ...results.suite, electricityPricePerKwh: '0.30 EUR' });
  expect(withPrices(results, { cloudPricePerHour: undefined })).toEqual(results);
  expect(() => withPrices(results, { cloudPricePerHour: 'cheap' })).toThrow(
    "cloudPricePerHour: expected number | '$0.30' | '0.30 EUR' but received 'cheap'",
  );
});
