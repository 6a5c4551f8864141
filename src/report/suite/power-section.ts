import type { SuiteResults, TrialResult } from '../../bench/suite/results.js';
import * as format from '../../format.js';
import { type Price, priceOf } from '../../price.js';
import { cellOf, valueText } from './cells.js';
import {
  type Block,
  type Cell,
  left,
  NOT_MEASURED,
  right,
  type Section,
  textCell,
} from './document.js';

/** Power, energy and costs of all trials; no section if nothing was measured and no price was given. */
export function powerSections({ suite, sensors, trials }: SuiteResults): Section[] {
  const electricity = priceOf(suite.electricityPricePerKwh);
  const hasPrice = electricity !== null || suite.cloudPricePerHour !== undefined;
  const succeeded = trials.filter(({ outcome }) => outcome.status === 'ok');
  const isMeasured = succeeded.some(({ hardware }) => (hardware?.power ?? []).length > 0);
  if (!isMeasured && !hasPrice) return [];
  return [
    {
      title: 'Power and cost',
      blocks: [
        { kind: 'text', text: isMeasured ? MEANING : 'Nothing on this machine measured power.' },
        ...(isMeasured ? [powerTable(succeeded, electricity)] : []),
        ...deviceTable(succeeded),
        ...rankings(succeeded),
        ...fullTrainingTable(succeeded, suite),
        ...sourceList(sensors),
      ],
    },
  ];
}

const MEANING =
  'Power and energy cover the counted runs or steps, without loading and warm-up, and the devices in the column Measured. ' +
  'Nothing is estimated for the rest of the machine.';

const nameOf = ({ key }: TrialResult): string => key.replaceAll(' | ', ', ');

/** The devices whose power is that of the trial, e.g. 'CPU package 0 + GPU 0'. */
function measuredDevices({ hardware }: TrialResult): string {
  const counted = hardware?.power.filter((each) => each.counted) ?? [];
  return counted.length === 0 ? 'n/a' : counted.map(({ device }) => device).join(' + ');
}

function powerTable(trials: readonly TrialResult[], electricity: Price | null): Block {
  return {
    kind: 'table',
    title: 'Power and energy',
    columns: [
      left('Trial'),
      left('Measured'),
      right('Covered'),
      right('Average W'),
      right('Peak W'),
      right('Wh'),
      right('Tokens/Wh'),
      ...(electricity === null ? [] : [right('Cost of 1M tokens')]),
    ],
    rows: trials.map((trial) => [
      textCell(nameOf(trial)),
      textCell(measuredDevices(trial)),
      coverageOf(trial),
      ...['averagePower', 'peakPower', 'energy', 'tokensPerWh'].map((name) => cellOf(trial, name)),
      ...(electricity === null ? [] : [costOfTokens(trial, electricity)]),
    ]),
  };
}

function coverageOf({ hardware }: TrialResult): Cell {
  const counted = hardware?.power.filter((each) => each.counted) ?? [];
  return counted.length === 0
    ? NOT_MEASURED
    : coverageCell(Math.min(...counted.map(({ coverage }) => coverage)));
}

const coverageCell = (coverage: number): Cell => ({
  text: `${(100 * coverage).toFixed(0)} %`,
  value: coverage,
});

const TOKENS = 1e6;

function costOfTokens({ measures }: TrialResult, price: Price): Cell {
  const rate = measures.tokensPerWh?.median;
  return rate === undefined ? NOT_MEASURED : costCell((TOKENS / rate / 1000) * price.amount, price);
}

/** Every device that was measured, if a trial has more than the ones in the table above. */
function deviceTable(trials: readonly TrialResult[]): Block[] {
  const rows = trials.flatMap((trial) =>
    (trial.hardware?.power ?? []).map((each) => [
      textCell(nameOf(trial)),
      textCell(each.device),
      textCell(each.source),
      ...(
        [
          [each.average, 'W'],
          [each.peak, 'W'],
          [each.energy, 'Wh'],
        ] as const
      ).map(([value, unit]): Cell => ({ text: valueText(value, unit), value })),
      coverageCell(each.coverage),
    ]),
  );
  const isMore = trials.some(({ hardware }) => {
    const power = hardware?.power ?? [];
    return power.length > 1 || power.some(({ counted }) => !counted);
  });
  if (!isMore) return [];
  return [
    {
      kind: 'table',
      title: 'Power by device',
      columns: [
        left('Trial'),
        left('Device'),
        left('Source'),
        ...['Average W', 'Peak W', 'Wh', 'Covered'].map(right),
      ],
      rows,
    },
  ];
}

/** The trials by tokens per Wh, the best one first: training and generation apart. */
function rankings(trials: readonly TrialResult[]): Block[] {
  return ['trained', 'generated'].flatMap((what): Block[] => {
    const isGeneration = what === 'generated';
    const ranked = trials
      .filter(({ measures }) => measures.tokensPerWh !== undefined)
      .filter(({ spec }) => (spec.kind === 'inference') === isGeneration)
      .sort((a, b) => b.measures.tokensPerWh!.median - a.measures.tokensPerWh!.median);
    if (ranked.length < 2) return [];
    const measured = new Set(ranked.map(measuredDevices));
    return [
      {
        kind: 'table',
        title: `Ranking by ${what} tokens per Wh`,
        columns: [right('Rank'), left('Trial'), left('Measured'), right('Tokens/Wh')],
        rows: ranked.map((trial, i) => [
          { text: String(i + 1), value: i + 1 },
          textCell(nameOf(trial)),
          textCell(measuredDevices(trial)),
          cellOf(trial, 'tokensPerWh'),
        ]),
      },
      ...(measured.size > 1
        ? [
            {
              kind: 'text' as const,
              text: 'These trials were not all measured on the same devices. Compare only trials with the same devices in the column Measured.',
            },
          ]
        : []),
    ];
  });
}

/** Time, energy and costs of the whole training that a benchmark extrapolates to. */
function fullTrainingTable(
  trials: readonly TrialResult[],
  { benchmarks, electricityPricePerKwh, cloudPricePerHour }: SuiteResults['suite'],
): Block[] {
  const ids = benchmarks.flatMap(({ id, task }) => (task === 'training' ? [id] : []));
  const extrapolated = trials.filter(
    ({ benchmark, measures }) => ids.includes(benchmark) && measures.trainingTime !== undefined,
  );
  if (extrapolated.length === 0) return [];
  const electricity = priceOf(electricityPricePerKwh);
  const cloud = priceOf(cloudPricePerHour);
  return [
    {
      kind: 'table',
      title: 'Full training',
      columns: [
        left('Trial'),
        right('Time'),
        right('Energy, kWh'),
        ...(electricity === null
          ? []
          : [right(`Electricity at ${electricityPricePerKwh} per kWh`)]),
        ...(cloud === null ? [] : [right(`Cloud at ${cloudPricePerHour} per hour`)]),
      ],
      rows: extrapolated.map((trial) => {
        const hours = trial.measures.trainingTime!.mean / 3600;
        const power = trial.measures.averagePower?.mean;
        const energy = power === undefined ? null : (power * hours) / 1000;
        return [
          textCell(nameOf(trial)),
          cellOf(trial, 'trainingTime'),
          energy === null ? NOT_MEASURED : { text: `≈ ${format.rate(energy)}`, value: energy },
          ...(electricity === null ? [] : [extrapolatedCost(energy, electricity)]),
          ...(cloud === null ? [] : [extrapolatedCost(hours, cloud)]),
        ];
      }),
    },
  ];
}

const extrapolatedCost = (quantity: number | null, price: Price): Cell =>
  quantity === null ? NOT_MEASURED : costCell(quantity * price.amount, price, '≈ ');

function costCell(amount: number, { prefix, suffix }: Price, before = ''): Cell {
  const digits = amount >= 0.01 || amount === 0 ? amount.toFixed(2) : amount.toPrecision(2);
  return { text: `${before}${prefix}${digits}${suffix}`, value: amount };
}

function sourceList(sensors: SuiteResults['sensors']): Block[] {
  const items = sensors.map(({ source, problem }) =>
    problem === null ? source : `${source} could not be used: ${problem}`,
  );
  return items.length === 0 ? [] : [{ kind: 'list', title: 'Sources of readings', items }];
}
