import * as format from '../../format.js';
import type { Estimate, RaftMetrics } from '../../raft/metrics.js';
import type { RaftStage, RaftSummary, SampledStage } from '../../raft/summary.js';
import {
  type Block,
  type Cell,
  left,
  NOT_MEASURED,
  type ReportDocument,
  right,
  type Section,
  textCell,
} from '../suite/document.js';
import { setupSection } from './setup-section.js';
import { difference, estimateCell, intervalText, percent, verdictText } from './texts.js';

/** The report of a run of raft(), with the tables of the benchmarking guide of halo-forge. */
export function buildRaftDocument(summary: RaftSummary): ReportDocument {
  const { model, prompts, evaluationPrompts, startedAt } = summary;
  const heldOut = evaluationPrompts === null ? '' : `, ${evaluationPrompts.count} held out`;
  return {
    title: `RAFT: ${model.name}`,
    subtitle: `${format.plural(prompts.count, 'prompt')}${heldOut}, verifier ${summary.verifier}, ${startedAt.slice(0, 10)}`,
    sections: [
      { title: 'Result', blocks: [{ kind: 'text', text: verdictText(summary) }] },
      summarySection(summary),
      detailsSection(summary),
      answersSection(summary),
      cyclesSection(summary),
      setupSection(summary),
    ],
  };
}

/** All stages that were started, with their names. */
function stagesOf({ baseline, cycles, final }: RaftSummary): [string, RaftStage][] {
  return [
    ['Baseline', baseline] as [string, RaftStage],
    ...cycles.flatMap(({ cycle, samples, training, evaluation }): [string, RaftStage][] => [
      [`Cycle ${cycle}: samples`, samples],
      [`Cycle ${cycle}: training`, training],
      ...(evaluation === null
        ? []
        : [[`Cycle ${cycle}: evaluation`, evaluation] as [string, RaftStage]]),
    ]),
    ['Final', final] as [string, RaftStage],
  ].filter(([, { attempts }]) => attempts > 0) as [string, RaftStage][];
}

function summarySection(summary: RaftSummary): Section {
  const { model, baseline, final, change } = summary;
  const [before, after] = [baseline.metrics, final.metrics];
  const compile = change?.compileRate;
  const row: Cell[] = [
    textCell(model.name),
    estimateCell(before?.compileRate),
    estimateCell(after?.compileRate),
    compile === null || compile === undefined
      ? NOT_MEASURED
      : { text: difference(compile.difference), note: intervalText(compile.interval, difference) },
    ...valuesOfK(before).map((k) => fromTo(before, after, k)),
    textCell(totalTime(summary)),
    textCell(totalEnergy(summary)),
  ];
  const columns = [
    left('Model'),
    ...['Baseline Compile', 'Final Compile', 'Improvement'].map(right),
    ...valuesOfK(before).map((k) => right(`pass@${k}`)),
    right('Time'),
    right('Energy'),
  ];
  return { title: 'Summary Table', blocks: [{ kind: 'table', columns, rows: [row] }] };
}

const valuesOfK = (metrics: RaftMetrics | null): string[] =>
  Object.keys(metrics?.passAt ?? { 1: 0 });

function fromTo(before: RaftMetrics | null, after: RaftMetrics | null, k: string): Cell {
  const [from, to] = [before?.passAt[k], after?.passAt[k]];
  return { text: `${percent(from?.value)} → ${percent(to?.value)}` };
}

const usesOf = (summary: RaftSummary) => stagesOf(summary).flatMap(([, { use }]) => use ?? []);

/** Whether the time and the energy of an interrupted attempt are missing. */
const wasInterrupted = (summary: RaftSummary): boolean =>
  stagesOf(summary).some(([, { attempts }]) => attempts > 1);

function totalTime(summary: RaftSummary): string {
  const seconds = usesOf(summary).reduce((total, use) => total + use.seconds, 0);
  return `${wasInterrupted(summary) ? '> ' : ''}${format.duration(seconds * 1000)}`;
}

/** n/a if one of the stages was not measured. */
function totalEnergy(summary: RaftSummary): string {
  const uses = usesOf(summary);
  if (uses.length === 0 || uses.some(({ energyWh }) => energyWh === null)) return 'n/a';
  const energy = uses.reduce((total, use) => total + use.energyWh!, 0);
  return `${wasInterrupted(summary) ? '> ' : ''}${format.rate(energy)} Wh`;
}

/** The lines of the guide: one per stage. */
function detailsSection(summary: RaftSummary): Section {
  const { baseline, cycles, final } = summary;
  const lines = [
    `Baseline: ${rates(baseline.metrics)}`,
    ...cycles
      .filter(({ samples }) => samples.metrics !== null)
      .map(({ cycle, samples, filter, training, evaluation }) => {
        const kept =
          filter === null ? '' : ` (kept ${filter.kept} samples${lossText(training.loss)})`;
        const evaluated = evaluation?.metrics ? `; evaluation ${rates(evaluation.metrics)}` : '';
        return `Cycle ${cycle}:  ${rates(samples.metrics)}${kept}${evaluated}`;
      }),
    `Final:    ${rates(final.metrics)}`,
    `${memoryText(summary)} | Energy: ${totalEnergy(summary)}`,
  ];
  return { title: 'Detailed Results', blocks: [{ kind: 'code', text: lines.join('\n') }] };
}

const lossText = (loss: number | null): string =>
  loss === null ? ', nothing trained' : `, loss=${loss.toFixed(3)}`;

/** '32.0 % compile, 81.2 % pass@1' */
function rates(metrics: RaftMetrics | null): string {
  if (metrics === null) return 'not finished';
  const compile =
    metrics.compileRate === null ? '' : `${percent(metrics.compileRate.value)} compile, `;
  return `${compile}${percent(metrics.passAt['1']!.value)} pass@1`;
}

function memoryText(summary: RaftSummary): string {
  const gpu = usesOf(summary).flatMap(({ gpuMemoryBytes }) => gpuMemoryBytes ?? []);
  if (gpu.length > 0) return `Peak GPU Memory: ${format.bytes(Math.max(...gpu))}`;
  const host = summary.cycles.flatMap(({ training }) => training.peakMemoryBytes ?? []);
  return `Peak Memory: ${host.length === 0 ? 'n/a' : format.bytes(Math.max(...host))}`;
}

function answersSection(summary: RaftSummary): Section {
  const stages = sampledStages(summary);
  const found = new Set(stages.flatMap(([, { metrics }]) => valuesOfK(metrics)));
  const values = [...found].sort((a, b) => Number(a) - Number(b));
  const compiles = stages.some(([, { metrics }]) => metrics!.compileRate !== null);
  const rows = stages.map(([name, { metrics, tokensPerSecond, use }]): Cell[] => [
    textCell(name),
    textCell(format.integer(metrics!.prompts)),
    textCell(format.integer(metrics!.prompts * metrics!.samples)),
    ...(compiles ? [estimateCell(metrics!.compileRate)] : []),
    ...values.map((k) => estimateCell(metrics!.passAt[k])),
    textCell(format.integer(metrics!.truncated)),
    tokensPerSecond === null ? NOT_MEASURED : textCell(format.rate(tokensPerSecond)),
    textCell(format.duration(use === null ? null : use.seconds * 1000)),
  ]);
  const columns = [
    left('Answers of'),
    ...['prompts', 'answers', ...(compiles ? ['compile rate'] : [])].map(right),
    ...values.map((k) => right(`pass@${k}`)),
    ...['cut off', 'tokens/s', 'time'].map(right),
  ];
  const note =
    'Rates are means over prompts with 95 % bootstrap intervals over prompts. The samples of a cycle are those of the model before its training.';
  return {
    title: 'Answers',
    blocks: [{ kind: 'table', columns, rows }, { kind: 'text', text: note }, ...charts(summary)],
  };
}

function sampledStages({ baseline, cycles, final }: RaftSummary): [string, SampledStage][] {
  const all: [string, SampledStage | null][] = [
    ['Baseline', baseline],
    ...cycles.flatMap(({ cycle, samples, evaluation }): [string, SampledStage | null][] => [
      [`Cycle ${cycle}: samples`, samples],
      [`Cycle ${cycle}: evaluation`, evaluation],
    ]),
    ['Final', final],
  ];
  return all.filter((entry): entry is [string, SampledStage] => entry[1]?.metrics != null);
}

/** pass@1 from stage to stage: of the evaluations, and of the samples of the cycles, whose prompts may be others. */
function charts(summary: RaftSummary): Block[] {
  const stages = sampledStages(summary);
  const isSamples = ([name]: (typeof stages)[number]) => name.endsWith('samples');
  return [
    chartOf(
      'pass@1 of the evaluations',
      stages.filter((each) => !isSamples(each)),
    ),
    chartOf('pass@1 of the samples', stages.filter(isSamples)),
  ].flat();
}

function chartOf(title: string, stages: readonly [string, SampledStage][]): Block[] {
  if (stages.length < 2) return [];
  const estimates = stages.map(([, { metrics }]) => metrics!.passAt['1']!);
  const percents = (interval: Estimate['interval']) =>
    interval === null ? null : ([100 * interval[0], 100 * interval[1]] as const);
  const series = {
    name: 'pass@1',
    values: estimates.map(({ value }) => 100 * value),
    ranges: estimates.map(({ interval }) => percents(interval)),
  };
  const names = stages.map(([name]) => name);
  return [
    {
      kind: 'chart',
      chart: { kind: 'bars', title, names, yTitle: 'pass@1 (%)', series: [series] },
    },
  ];
}

function cyclesSection({ cycles }: RaftSummary): Section {
  const rows = cycles.flatMap(({ cycle, filter, training }): Cell[][] =>
    filter === null
      ? []
      : [
          [
            textCell(String(cycle)),
            ...[
              filter.samples,
              filter.notSelected + filter.empty,
              filter.truncated,
              filter.duplicates,
              filter.overMost + filter.unbalanced,
              filter.kept,
              filter.promptsKept,
              training.steps,
            ].map((count) => textCell(format.integer(count))),
            training.loss === null ? NOT_MEASURED : textCell(format.loss(training.loss)),
            textCell(format.learningRate(training.learningRate)),
            training.tokensPerSecond === null
              ? NOT_MEASURED
              : textCell(format.rate(training.tokensPerSecond)),
            textCell(format.duration(training.use === null ? null : training.use.seconds * 1000)),
          ],
        ],
  );
  const columns = [
    ...['cycle', 'answers', 'not selected', 'cut off', 'duplicates', 'over limits', 'kept'],
    ...['prompts kept', 'steps', 'loss', 'learning rate', 'tokens/s', 'time'],
  ].map(right);
  return { title: 'Cycles', blocks: [{ kind: 'table', columns, rows }] };
}
