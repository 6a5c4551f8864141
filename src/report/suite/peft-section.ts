import type { TrialResult } from '../../bench/suite/results.js';
import { statisticsOf } from '../../statistics.js';
import { cellOf } from './cells.js';
import { type Block, type Cell, left, NOT_MEASURED, right, textCell } from './document.js';
import { groupBy, modelName } from './names.js';

/** Speed and memory here and with PEFT, round by round, and the ratio. */
export function peftBlocks(trials: readonly TrialResult[]): Block[] {
  const keyOf = (trial: TrialResult) => `${modelName(trial)}, ${trial.spec.device}`;
  return groupBy(trials, keyOf).flatMap(([title, group]): Block[] => {
    const own = group.filter(({ spec }) => spec.kind === 'training');
    const others = group.filter(({ spec }) => spec.kind === 'peft');
    const pairs = own.flatMap((trial, i) => {
      const other = others[i];
      return other === undefined ? [] : [[trial, other] as const];
    });
    const ratios = pairs.map(([a, b]) => ratioOf(a, b));
    const known = ratios.filter((ratio) => ratio !== null);
    return [
      {
        kind: 'table',
        title: `${title}: llamatune with ${own[0]?.spec.weightType} weights, PEFT with BF16 weights`,
        columns: [
          left('Round'),
          ...['llamatune, tokens/s', 'PEFT, tokens/s', 'Ratio'].map(right),
          ...['llamatune, memory', 'PEFT, memory'].map(right),
        ],
        rows: pairs.map(([a, b], i) => [
          textCell(String(i + 1)),
          cellOf(a, 'tokensPerSecond'),
          cellOf(b, 'tokensPerSecond'),
          ratioCell(ratios[i] ?? null),
          cellOf(a, 'peakMemory', 'max'),
          cellOf(b, 'peakMemory', 'max'),
        ]),
      },
      ...(known.length === 0 ? [] : [{ kind: 'text' as const, text: summary(known) }]),
    ];
  });
}

function ratioOf(own: TrialResult, other: TrialResult): number | null {
  const [a, b] = [own, other].map(({ measures }) => measures.tokensPerSecond?.median);
  return a === undefined || b === undefined ? null : a / b;
}

const ratioCell = (ratio: number | null): Cell =>
  ratio === null ? NOT_MEASURED : { text: `${ratio.toFixed(2)} ×`, value: ratio };

function summary(ratios: readonly number[]): string {
  const { median, min, max } = statisticsOf(ratios);
  const rounds = ratios.length === 1 ? 'one round' : `${ratios.length} rounds in turns`;
  return `llamatune trained ${median.toFixed(2)} times as fast as PEFT in ${rounds} (${min.toFixed(2)} to ${max.toFixed(2)}).`;
}
