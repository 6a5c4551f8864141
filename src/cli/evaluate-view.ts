import { SingleBar } from 'cli-progress';
import * as format from '../format.js';
import type { EvaluateEvent } from '../index.js';
import type { CliIo } from './io.js';
import { jsonLine } from './json.js';
import { barOptions } from './progress-bar.js';

/** Shows the events of an evaluation. */
export interface EvaluateView {
  show(event: EvaluateEvent): void;
  /** Restores the terminal. Must be called in any case, also after an error. */
  close(): void;
}

/** JSON Lines for programs; for people a progress bar on a terminal, otherwise lines on standard error. */
export function evaluateView(io: CliIo, json: boolean): EvaluateView {
  if (json) return { show: (event) => void io.stdout.write(jsonLine(event)), close: () => {} };
  let bar: SingleBar | null = null;
  const close = () => {
    bar?.stop();
    bar = null;
  };
  return {
    show(event) {
      if (event.type !== 'answer' && event.type !== 'scoring') {
        close();
        const line = lineOf(event);
        if (line !== null) io.stderr.write(`${line}\n`);
      } else if (io.stderr.isTTY) {
        bar ??= startBar(io, event);
        bar.update(event.done, { remaining: format.duration(event.etaMs) });
        if (event.done === event.of) close();
      }
    },
    close,
  };
}

function startBar(
  io: CliIo,
  event: Extract<EvaluateEvent, { type: 'answer' | 'scoring' }>,
): SingleBar {
  const what = event.type === 'answer' ? 'answers' : `texts for ${event.task}`;
  const bar = new SingleBar(barOptions(io.stderr, ` ${what}  ETA {remaining}`));
  bar.start(event.of, 0, { remaining: '–' });
  return bar;
}

function lineOf(event: Exclude<EvaluateEvent, { type: 'answer' | 'scoring' }>): string | null {
  switch (event.type) {
    case 'plan': {
      const left = event.badRows === 0 ? '' : `, ${format.plural(event.badRows, 'row')} left out`;
      return `${format.plural(event.systems.length, 'system')}, ${format.plural(event.rows, 'row')}${left}`;
    }
    case 'system':
      return `[${event.index + 1}/${event.of}] ${event.system}`;
    case 'warning':
      return `warning ${event.code}: ${event.message}`;
    case 'scores':
      return null;
  }
}
