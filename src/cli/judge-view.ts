import { SingleBar } from 'cli-progress';
import * as format from '../format.js';
import type { JudgeEvent } from '../index.js';
import type { CliIo } from './io.js';
import { jsonLine } from './json.js';
import { barOptions } from './progress-bar.js';

/** Shows the events of a judge. */
export interface JudgeView {
  show(event: JudgeEvent): void;
  /** Restores the terminal. Must be called in any case, also after an error. */
  close(): void;
}

const LINE_MS = 10_000;

/** JSON Lines for programs; for people a progress bar on a terminal, otherwise a line about every ten seconds. */
export function judgeView(io: CliIo, json: boolean): JudgeView {
  if (json) return { show: (event) => void io.stdout.write(jsonLine(event)), close: () => {} };
  const bar = io.stderr.isTTY
    ? new SingleBar(barOptions(io.stderr, ' verdicts  ETA {remaining}'))
    : null;
  let lastLine = Date.now();
  return {
    show(event) {
      if (event.type === 'plan') {
        const { questions, comparisons, finished } = event;
        const earlier = finished === 0 ? '' : `, ${finished} of them answered before`;
        io.stderr.write(
          `${format.plural(comparisons.length, 'comparison')}, ${format.plural(questions, 'question')}${earlier}\n`,
        );
        bar?.start(questions, finished, { remaining: '–' });
        return;
      }
      const { done, of, etaMs } = event;
      const remaining = format.duration(etaMs);
      bar?.update(done, { remaining });
      if (bar !== null || (Date.now() - lastLine < LINE_MS && done < of)) return;
      lastLine = Date.now();
      io.stderr.write(`[${done}/${of}]  ETA ${remaining}\n`);
    },
    close: () => bar?.stop(),
  };
}
