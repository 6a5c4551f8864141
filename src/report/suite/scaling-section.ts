import type { TrialResult } from '../../bench/suite/results.js';
import { cellOf } from './cells.js';
import { type Block, type Cell, left, NOT_MEASURED, right, textCell } from './document.js';
import { groupBy, modelName } from './names.js';

/** How many devices a trial ran on: the names of its option `device`, and its RPC servers. */
function deviceCount({ spec }: TrialResult): number {
  const servers = spec.options.rpc;
  const remote = Array.isArray(servers) ? servers.length : 0;
  const names = spec.device.split(',').length;
  return remote > 0 && (spec.device === 'auto' || spec.device === 'rpc') ? remote : names + remote;
}

const devicesText = ({ spec }: TrialResult): string => {
  const servers = spec.options.rpc;
  return Array.isArray(servers) && servers.length > 0
    ? `${spec.device}, ${servers.length} RPC`
    : spec.device;
};

/** Speed on several devices against one, with the efficiency: speed / (devices × speed on one). */
export function scalingBlocks(trials: readonly TrialResult[]): Block[] {
  const keyOf = (trial: TrialResult) => `${modelName(trial)}, ${trial.spec.weightType}`;
  return groupBy(trials, keyOf).flatMap(([title, group]): Block[] => {
    const baseline = group.find((trial) => deviceCount(trial) === 1);
    if (baseline === undefined || group.every((trial) => deviceCount(trial) === 1)) return [];
    return [
      {
        kind: 'table',
        title: `Scaling: ${title}`,
        columns: [
          left('Devices'),
          ...['Count', 'Tokens/s', 'Speedup', 'Efficiency', 'Peak memory'].map(right),
        ],
        rows: group.map((trial) => [
          textCell(devicesText(trial)),
          { text: String(deviceCount(trial)), value: deviceCount(trial) },
          cellOf(trial, 'tokensPerSecond'),
          ...speedupCells(trial, baseline),
          cellOf(trial, 'peakMemory', 'max'),
        ]),
      },
    ];
  });
}

function speedupCells(trial: TrialResult, baseline: TrialResult): Cell[] {
  const [own, one] = [trial, baseline].map(({ measures }) => measures.tokensPerSecond?.median);
  if (own === undefined || one === undefined) return [NOT_MEASURED, NOT_MEASURED];
  const speedup = own / one;
  const efficiency = speedup / deviceCount(trial);
  return [
    { text: `${speedup.toFixed(2)} ×`, value: speedup },
    { text: `${(100 * efficiency).toFixed(0)} %`, value: efficiency },
  ];
}
