import type { SuiteResults, TrialResult } from '../../../../src/bench/suite/results.js';
import { measureOf, present } from '../../../../src/bench/suite/trial.js';
import type { NamedResults } from '../../../../src/report/community/build-document.js';
import { results } from '../suite/fixture.js';

/** The trials of the fixture on a machine that is `factor` times as fast. */
function times(factor: number, trials: readonly TrialResult[]): TrialResult[] {
  return trials.map((trial) => {
    const { tokensPerSecond, stepTime, epochTime, ...others } = trial.measures;
    const scaled = (measure: typeof stepTime, by: number) =>
      measure &&
      measureOf(
        measure.unit,
        measure.samples.map((sample) => sample * by),
        measure.source,
      );
    return {
      ...trial,
      measures: present({
        tokensPerSecond: scaled(tokensPerSecond, factor),
        stepTime: scaled(stepTime, 1 / factor),
        epochTime: scaled(epochTime, 1 / factor),
        ...others,
      }),
    };
  });
}

const withTrials = (
  trials: TrialResult[],
  machine: Partial<SuiteResults['machine']>,
): SuiteResults => ({ ...results, machine: { ...results.machine, ...machine }, trials });

const outOfMemory = (trial: TrialResult): TrialResult =>
  trial.spec.weightType === 'Q8_0'
    ? { ...trial, measures: {}, outcome: { status: 'oom', message: 'too large' } }
    : trial;

/** A fast machine, a slow one without memory for Q8_0, and one with other settings on two devices. */
export const machines: NamedResults[] = [
  { name: 'fast', results: withTrials(times(10, results.trials), { cpu: 'Fast CPU', cores: 16 }) },
  {
    name: 'phone',
    results: withTrials(times(0.1, results.trials).map(outOfMemory), {
      cpu: 'Phone CPU',
      devices: [],
      environment: {},
      instructionSets: [],
    }),
  },
  {
    name: 'two-devices',
    results: withTrials(
      ['cpu', 'CUDA0'].flatMap((device, i) =>
        times(1 + i, results.trials).map((trial) => ({
          ...trial,
          spec: { ...trial.spec, device, options: { ...trial.spec.options, batchSize: 2 } },
        })),
      ),
      {},
    ),
  },
];
