import { MultiBar, type SingleBar } from 'cli-progress';
import * as format from '../format.js';
import type { FinetuneEvent, FinetuneResult, StepEvent } from '../index.js';
import { expertsText } from './experts-text.js';
import type { CliIo } from './io.js';
import { jsonLine } from './json.js';
import { barOptions } from './progress-bar.js';
import { listTable } from './table.js';

/** Shows the events of a run. */
export interface FinetuneView {
  show(event: FinetuneEvent): void;
  /** Restores the terminal. Must be called in any case, also after an error. */
  close(): void;
}

/** JSON Lines for programs, a progress bar on a terminal, plain lines otherwise. */
export function finetuneView(io: CliIo, json: boolean): FinetuneView {
  if (json) {
    return { show: (event) => void io.stdout.write(jsonLine(event)), close: () => {} };
  }
  return oncePerPhase(io.stdout.isTTY ? barView(io) : lineView(io));
}

/** Shows each phase once: loading a model reports its progress many times. */
function oncePerPhase(view: FinetuneView): FinetuneView {
  let current = '';
  return {
    ...view,
    show(event) {
      if (event.type === 'phase') {
        if (event.phase === current) return;
        current = event.phase;
      }
      view.show(event);
    },
  };
}

/** 'step 3/120 · loss 1.2345 · …' */
export function stepLine(event: StepEvent): string {
  return [
    `step ${event.step}/${event.totalSteps}`,
    `epoch ${event.epoch}`,
    `loss ${format.loss(event.loss)}`,
    ...format.metrics(event.metrics),
    `learning rate ${format.learningRate(event.learningRate)}`,
    `gradient norm ${format.loss(event.gradientNorm)}`,
    `${format.rate(event.tokensPerSecond)} tokens/s`,
    `ETA ${format.duration(event.etaMs)}`,
  ].join('  ');
}

/** The line for an event other than a step; undefined if the event has none. */
function eventLine(event: FinetuneEvent): string | undefined {
  switch (event.type) {
    case 'phase':
      return event.detail === '' ? undefined : `${event.phase}: ${event.detail}`;
    case 'evaluation':
      return [
        `step ${event.step}  validation loss ${format.loss(event.loss)}`,
        ...format.metrics(event.metrics),
      ]
        .join(', ')
        .concat(`  (${format.duration(event.ms)})`);
    case 'checkpoint':
      return `step ${event.step}  checkpoint ${event.path}`;
    case 'resume':
      return `resumed after step ${event.step} from ${event.path}`;
    case 'intervention':
      return format.intervention(event);
    case 'epoch':
      return [
        `epoch ${event.epoch} done  mean training loss ${format.loss(event.loss)}`,
        ...format.metrics(event.metrics),
      ].join(', ');
    default:
      return undefined;
  }
}

function warningLine(event: FinetuneEvent): string | undefined {
  return event.type === 'warning' ? `warning ${event.code}: ${event.message}` : undefined;
}

function lineView(io: CliIo): FinetuneView {
  let lastStepAt = Number.NEGATIVE_INFINITY;
  return {
    show(event) {
      const warning = warningLine(event);
      if (warning) io.stderr.write(`${warning}\n`);
      if (event.type === 'step') {
        // At most one step per second, so that a fast run does not flood a log; the first and last step are always shown.
        const now = Date.now();
        if (now - lastStepAt < 1000 && event.step !== event.totalSteps) return;
        lastStepAt = now;
        io.stdout.write(`${stepLine(event)}\n`);
        return;
      }
      const line = event.type === 'done' ? resultTable(event.result) : eventLine(event);
      if (line) io.stdout.write(`${line}\n`);
    },
    close() {},
  };
}

function barView(io: CliIo): FinetuneView {
  let bars: MultiBar | undefined;
  let bar: SingleBar | undefined;
  const print = (line: string | undefined) => {
    if (!line) return;
    if (bars && bar) bars.log(`${line}\n`);
    else io.stdout.write(`${line}\n`);
  };
  const close = () => {
    bars?.update();
    bars?.stop();
    bars = undefined;
    bar = undefined;
  };
  return {
    show(event) {
      if (event.type === 'step') {
        if (!bar) {
          bars = new MultiBar(barOptions(io.stdout, '  {metrics}'));
          bar = bars.create(event.totalSteps, 0, { metrics: '' });
        }
        bar.setTotal(event.totalSteps); // adaptive training changes it
        bar.update(event.step, { metrics: barMetrics(event) });
      } else if (event.type === 'done') {
        close();
        io.stdout.write(`${resultTable(event.result)}\n`);
      } else {
        print(warningLine(event) ?? eventLine(event));
      }
    },
    close,
  };
}

/** The metrics after the bar, short enough for one line. */
function barMetrics(event: StepEvent): string {
  return [
    `loss ${format.loss(event.loss)}`,
    `lr ${format.learningRate(event.learningRate)}`,
    `${format.rate(event.tokensPerSecond)} tok/s`,
    `ETA ${format.duration(event.etaMs)}`,
  ].join('  ');
}

/** '2 rescue, 1 stop' */
function interventionCounts(interventions: FinetuneResult['interventions']): string {
  const counts = new Map<string, number>();
  for (const { kind } of interventions) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
}

/** The result of a run as a table. */
export function resultTable(result: FinetuneResult): string {
  const { validationSamples, finalValidationLoss, bestValidationLoss, bestStep } = result;
  const steps = `${format.integer(result.steps)} in ${format.plural(result.epochs, 'epoch')}`;
  const trained = result.tokensPerSecond !== null;
  const experts = expertsText(result.experts);
  const { interventions } = result;
  const early = result.stoppedEarly ? '; stopped early' : '';
  const finalMetrics = Object.entries(result.evaluations.at(-1)?.metrics ?? {});
  const validationText =
    validationSamples > 0 ? ` (and ${format.integer(validationSamples)} for validation)` : '';
  return listTable([
    [result.mode === 'lora' ? 'Adapter' : 'Model', result.output],
    ...(result.modelCard === null ? [] : [['Model card', result.modelCard] as const]),
    ...(result.runLog === null ? [] : [['Run log', result.runLog] as const]),
    ['Steps', trained ? `${steps}${early}` : `${steps}; nothing was left to train`],
    [
      'Training loss',
      `${trained ? `${format.loss(result.losses[0])} → ` : ''}${format.loss(result.finalLoss)}`,
    ],
    ...(finalValidationLoss === null
      ? []
      : ([['Validation loss', format.loss(finalValidationLoss)]] as const)),
    ...(bestStep === null || bestValidationLoss === finalValidationLoss
      ? []
      : ([
          ['Best validation loss', `${format.loss(bestValidationLoss)} at step ${bestStep}`],
        ] as const)),
    ...(interventions.length === 0
      ? []
      : ([['Interventions', interventionCounts(interventions)]] as const)),
    ...finalMetrics.map(
      ([name, value]) =>
        [`Validation ${format.metricName(name)}`, format.metric(name, value)] as const,
    ),
    ['Samples', `${format.integer(result.samples)}${validationText}`],
    [
      'Tokens',
      `${format.integer(result.tokens)}, ${format.integer(result.targetTokens)} of them targets`,
    ],
    [
      'Time',
      format.duration(result.seconds * 1000) +
        (trained ? `, ${format.rate(result.tokensPerSecond)} tokens/s` : ''),
    ],
    ['Trained parameters', format.count(result.trainableParameters)],
    [
      'Peak memory',
      `${format.bytes(result.peakMemoryBytes)} (estimated ${format.bytes(result.estimatedMemoryBytes)}` +
        `${result.weightCache ? `; weight cache ${format.bytes(result.weightCacheBytes)}` : ''})`,
    ],
    ...(experts === undefined ? [] : ([['Experts', experts]] as const)),
  ]);
}
