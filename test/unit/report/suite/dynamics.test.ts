import { describe, expect, it } from 'vitest';
import type { TrialResult } from '../../../../src/bench/suite/results.js';
import { dynamicsOf, stepsToLoss } from '../../../../src/report/suite/dynamics.js';
import { targetBlocks } from '../../../../src/report/suite/dynamics-section.js';
import { results } from './fixture.js';

const base = results.trials.find(({ spec }) => spec.kind === 'training')!;
const run = (loss: (number | null)[], gradientNorm: (number | null)[] = loss.map(() => 1)) =>
  dynamicsOf({ ...base, series: { loss, gradientNorm } });
const falling = (count: number) => Array.from({ length: count }, (_, i) => 3 - (2 * i) / count);

describe('dynamicsOf', () => {
  it('finds nothing in a loss that falls evenly', () => {
    expect(run(falling(200))).toMatchObject({
      meanGradientNorm: 1,
      gradientNormVariance: 0,
      gradientSpikes: 0,
      lossSpikes: 0,
      plateaus: 0,
      nonFiniteLosses: 0,
    });
    expect(run(falling(200))!.lossVariance).toBeCloseTo(0, 12);
  });

  it('counts spikes, several steps in a row as one', () => {
    const losses = falling(200);
    losses[80] = 4;
    losses[81] = 4;
    losses[150] = 4;
    expect(run(losses)).toMatchObject({ lossSpikes: 2 });
    const norms = losses.map((_, i) => (i === 60 || i === 120 ? 10 : 1));
    expect(run(falling(200), norms)).toMatchObject({ gradientSpikes: 2, meanGradientNorm: 1.09 });
  });

  it('counts stretches without progress', () => {
    const flat = [...falling(100), ...Array(140).fill(1), ...falling(100).map((loss) => loss / 3)];
    expect(run(flat)).toMatchObject({ plateaus: 1 });
  });

  it('measures how much the loss varies around its trend', () => {
    const noisy = falling(200).map((loss, i) => loss + (i % 2 === 0 ? 0.1 : -0.1));
    expect(run(noisy)!.lossVariance).toBeCloseTo(0.01, 3);
  });

  it('counts losses that are not finite', () => {
    const losses: (number | null)[] = falling(100);
    losses[50] = null;
    losses[51] = Number.NaN;
    expect(run(losses, falling(100))).toMatchObject({ nonFiniteLosses: 2 });
  });

  it('says nothing about a short run', () => {
    expect(run(falling(19))).toBeNull();
    expect(run([])).toBeNull();
  });
});

describe('stepsToLoss', () => {
  it('is the first step whose smoothed loss reaches the target', () => {
    // 3 - 2 i / 100 is 2 at i = 50, the 51st step
    expect(stepsToLoss(falling(100), 2.005)).toBe(51);
    expect(stepsToLoss(falling(100), 0.5)).toBeNull();
  });

  it('ignores a single low step', () => {
    const losses = falling(100);
    losses[10] = 1.9;
    expect(stepsToLoss(losses, 2)).toBeGreaterThan(45);
  });
});

describe('targetBlocks', () => {
  const training = results.trials.find(({ measures }) => measures.averagePower !== undefined)!;
  const trial = {
    ...training,
    spec: { ...training.spec, targetLosses: [1.5, 0.5] },
    series: { loss: falling(120), stepSeconds: Array(120).fill(2) },
  } as TrialResult;
  const rows = (of: TrialResult) => {
    const [table] = targetBlocks([of]);
    if (table?.kind !== 'table') throw new Error('no table');
    const column = table.columns.findIndex(({ title }) => title === 'Energy, Wh');
    return column < 0 ? null : table.rows.map((cells) => cells[column]);
  };

  it('give the energy to a target from the average power', () => {
    const steps = stepsToLoss(falling(120), 1.5)!;
    const { averagePower } = training.measures;
    const [reached, missed] = rows(trial)!;
    expect(reached!.value).toBeCloseTo((averagePower!.median * 2 * steps) / 3600, 9);
    expect(reached!.text).toMatch(/^≈ /);
    expect(missed!.text).toBe('n/a');
  });

  it('have no energy if no power was measured', () => {
    const { averagePower, ...measures } = trial.measures;
    expect(rows({ ...trial, measures })).toBeNull();
  });
});
