import { LlamatuneError, reasonOf } from '../errors.js';
import type { FinetuneEvent } from '../finetune/events.js';
import { type RunLogHeader, RunLogTracker } from './run-log.js';
import { TensorBoardTracker } from './tensorboard.js';
import type { OnFinetuneEvent, Tracker } from './tracker.js';

/** The options of a run that name trackers. */
export interface TrackerOptions {
  runLog?: { path: string; header: Pick<RunLogHeader, 'config' | 'versions'> } | undefined;
  /** Why there is no run log although the run should have one. */
  logProblem?: LlamatuneError | undefined;
  tensorboard?: string | undefined;
  onEvent?: OnFinetuneEvent | undefined;
}

/** @param warn receives the warnings of trackers that fail */
export function trackersOf(
  { runLog, logProblem, tensorboard, onEvent }: TrackerOptions,
  warn: (event: FinetuneEvent) => void,
): Trackers {
  const trackers: Tracker[] = [];
  if (runLog !== undefined) trackers.push(new RunLogTracker(runLog.path, runLog.header));
  if (logProblem !== undefined) {
    const refuse = () => {
      throw logProblem;
    };
    trackers.push({ write: refuse });
  }
  if (tensorboard !== undefined) trackers.push(new TensorBoardTracker(tensorboard));
  if (onEvent !== undefined) trackers.push({ write: onEvent });
  return new Trackers(trackers, warn);
}

/**
 * Passes the events of a run to its trackers. A tracker that fails is not called again, and a warning says so: a run does not
 * end because its progress cannot be recorded.
 */
export class Trackers {
  readonly #trackers: Set<Tracker>;
  readonly #warn: (event: FinetuneEvent) => void;
  readonly #failures: { code: string; message: string }[] = [];

  /** @param warn receives the warnings */
  constructor(trackers: readonly Tracker[], warn: (event: FinetuneEvent) => void) {
    this.#trackers = new Set(trackers);
    this.#warn = warn;
  }

  write(event: FinetuneEvent): void {
    if (event.type === 'done') event.result.warnings.push(...this.#failures);
    for (const tracker of this.#trackers) {
      this.#attempt(tracker, () => tracker.write(event));
    }
  }

  close(): void {
    for (const tracker of this.#trackers) this.#attempt(tracker, () => tracker.close?.());
  }

  #attempt(tracker: Tracker, work: () => void | Promise<void>): void {
    const fail = (error: unknown) => {
      if (!this.#trackers.delete(tracker)) return;
      const [code, message] =
        error instanceof LlamatuneError
          ? [error.code, error.message]
          : ['EVENT_SINK_FAILED', `onEvent failed: ${reasonOf(error)}`];
      const warning = { code, message: `${message}; the run continues without it` };
      this.#failures.push(warning);
      this.#warn({ type: 'warning', ...warning });
    };
    try {
      const pending = work();
      if (pending instanceof Promise) pending.catch(fail);
    } catch (error) {
      fail(error);
    }
  }
}
