import { SingleBar } from 'cli-progress';
import * as format from '../format.js';
import {
  type RaftEvent,
  type RaftMetrics,
  type RaftPlace,
  type RaftSummary,
  renderRaftReport,
} from '../index.js';
import type { CliIo } from './io.js';
import { jsonLine } from './json.js';
import { barOptions } from './progress-bar.js';

/** Shows the events of a run of raft(). */
export interface RaftView {
  show(event: RaftEvent): void;
  done(summary: RaftSummary, files: readonly string[]): void;
  /** Restores the terminal. Must be called in any case, also after an error. */
  close(): void;
}

/** JSON Lines for programs, a progress bar on a terminal, plain lines otherwise. */
export function raftView(io: CliIo, json: boolean): RaftView {
  const done = (summary: RaftSummary, files: readonly string[]) => {
    io.stdout.write(
      `${renderRaftReport(summary, { format: 'text' })}${files.slice(0, 3).join('\n')}\n`,
    );
  };
  if (json) {
    return { show: (event) => void io.stdout.write(jsonLine(event)), done, close: () => {} };
  }
  const bar = io.stderr.isTTY === true ? new StageBar(io) : null;
  return {
    show(event) {
      bar?.update(event);
      const line = eventLine(event);
      if (line === undefined) return;
      bar?.stop();
      io.stderr.write(`${line}\n`);
    },
    done,
    close: () => bar?.stop(),
  };
}

/** The progress of a stage, in answers or in steps of the training. */
class StageBar {
  readonly #stream: CliIo['stderr'];
  #bar: SingleBar | null = null;

  constructor(io: CliIo) {
    this.#stream = io.stderr;
  }

  update(event: RaftEvent): void {
    if (event.type === 'sample')
      this.#show(event.done, event.of, `ETA ${format.duration(event.etaMs)}`);
    if (event.type !== 'training' || event.event.type !== 'step') return;
    const { step, totalSteps, loss, etaMs } = event.event;
    this.#show(step, totalSteps, `loss ${format.loss(loss)}  ETA ${format.duration(etaMs)}`);
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = null;
  }

  #show(done: number, of: number, text: string): void {
    if (this.#bar === null) {
      this.#bar = new SingleBar({ ...barOptions(this.#stream, '  {text}'), clearOnComplete: true });
      this.#bar.start(of, done, { text });
    }
    this.#bar.update(done, { text });
  }
}

/** The line for an event; undefined if it has none. */
function eventLine(event: RaftEvent): string | undefined {
  switch (event.type) {
    case 'plan': {
      const earlier = event.finished === 0 ? '' : `, ${event.finished} of them finished earlier`;
      return `${format.plural(event.prompts, 'prompt')}, ${format.plural(event.cycles, 'cycle')}, ${event.stages} stages${earlier}`;
    }
    case 'stage':
      return `${placeText(event)}${event.attempt > 1 ? ' (continued)' : ''}`;
    case 'measured':
      return `  ${metricsText(event.metrics)}, ${format.rate(event.tokensPerSecond)} tokens/s`;
    case 'kept':
      return `  kept ${event.counts.kept} of ${event.counts.samples} answers, of ${format.plural(event.counts.promptsKept, 'prompt')}`;
    case 'warning':
      return `warning ${event.code}: ${event.message}`;
    case 'training':
      return trainingLine(event);
    case 'sample':
      return undefined;
  }
}

const placeText = ({ stage, cycle }: RaftPlace): string =>
  cycle === null ? stage : `cycle ${cycle}: ${stage}`;

function metricsText({ compileRate, passAt, truncated }: RaftMetrics): string {
  return [
    ...(compileRate === null ? [] : [`${format.percent(compileRate.value)} compile`]),
    ...Object.entries(passAt).map(([k, { value }]) => `pass@${k} ${format.percent(value)}`),
    ...(truncated === 0 ? [] : [`${truncated} cut off`]),
  ].join(', ');
}

function trainingLine({ event }: Extract<RaftEvent, { type: 'training' }>): string | undefined {
  switch (event.type) {
    case 'epoch':
      return `  epoch ${event.epoch}: loss ${format.loss(event.loss)}`;
    case 'warning':
      return `warning ${event.code}: ${event.message}`;
    case 'resume':
      return `  continues after step ${event.step}`;
    default:
      return undefined;
  }
}
