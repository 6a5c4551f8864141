import { describe, expect, it } from 'vitest';
import type { SuiteResults } from '../../../../src/bench/suite/results.js';
import { powerSections } from '../../../../src/report/suite/power-section.js';
import { results } from './fixture.js';

const noPower: SuiteResults = {
  ...results,
  suite: { ...results.suite, electricityPricePerKwh: undefined, cloudPricePerHour: undefined },
  trials: results.trials.map((trial) => {
    const { averagePower, peakPower, energy, tokensPerWh, ...measures } = trial.measures;
    return { ...trial, hardware: null, measures };
  }),
};
const priced: SuiteResults = {
  ...noPower,
  suite: { ...noPower.suite, cloudPricePerHour: '$2' },
};

function tables(of: SuiteResults) {
  const [section] = powerSections(of);
  return section!.blocks.filter((block) => block.kind === 'table');
}

describe('power and cost', () => {
  it('have no section if nothing was measured and no price was given', () => {
    expect(powerSections(noPower)).toEqual([]);
  });

  it('give the cost of a rented machine without any measured power', () => {
    const [table, ...others] = tables(priced);
    expect(others).toEqual([]);
    expect(table!.columns.map(({ title }) => title)).toEqual([
      'Trial',
      'Time',
      'Energy, kWh',
      'Cloud at $2 per hour',
    ]);
    // 8 epochs of 42 steps of 2.033 s
    const [, , energy, cost] = table!.rows[0]!;
    expect(energy).toEqual({ text: 'n/a' });
    expect(cost!.value).toBeCloseTo((2 * 8 * 42 * 2.0333) / 3600, 3);
    expect(cost!.text).toBe('≈ $0.38');
  });

  it('rank training and generation apart, the most tokens per Wh first', () => {
    const ranking = tables(results).filter(({ title }) => title?.startsWith('Ranking'));
    expect(ranking.map(({ title }) => title)).toEqual(['Ranking by trained tokens per Wh']);
    const rates = ranking[0]!.rows.map((cells) => cells.at(-1)!.value!);
    expect(rates).toEqual([...rates].sort((a, b) => b - a));
    expect(rates.length).toBeGreaterThan(2);
  });

  it('warn about a ranking of trials with different devices', () => {
    const text = (of: SuiteResults) => JSON.stringify(powerSections(of));
    expect(text(results)).not.toContain('same devices');
    const trials = results.trials.map((trial, i) =>
      i === 3
        ? {
            ...trial,
            hardware: {
              ...trial.hardware!,
              power: trial.hardware!.power.map((each) => ({ ...each, counted: true })),
            },
          }
        : trial,
    );
    expect(text({ ...results, trials })).toContain('same devices');
  });
});
