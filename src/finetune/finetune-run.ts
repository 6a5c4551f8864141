import type { NativeTraining } from '../contract/addon.js';
import { Run } from '../contract/run.js';
import type { FinetuneEvent, FinetuneResult } from './events.js';

/** What the work of a fine-tuning run uses. */
export interface FinetuneControls {
  emit: (event: FinetuneEvent) => void;
  signal: AbortSignal;
  /** Connects the training of the engine with `pause()` and `continue()`. */
  started: (training: NativeTraining) => void;
  /** No step follows: the run cannot pause any more. */
  lastStepDone: () => void;
}

/** Passes the wish to pause on to the engine, now or when its training starts. */
class PauseSwitch {
  paused = false;
  #training: NativeTraining | undefined;
  #ended = false;

  connect(training: NativeTraining): void {
    this.#training = training;
    this.set(this.paused);
  }

  end(): void {
    this.#ended = true;
    this.paused = false;
  }

  set(paused: boolean): void {
    if (this.#ended) return;
    this.paused = paused;
    if (paused) this.#training?.pause();
    else this.#training?.continue();
  }
}

/**
 * A running fine-tuning: an async iterable of events, with the result as a promise. It can pause, and an abort writes a
 * checkpoint of the last finished step if `checkpoint.directory` is given.
 */
export class FinetuneRun extends Run<FinetuneEvent, FinetuneResult> {
  readonly #switch: PauseSwitch;

  /** @internal Use `finetune()`. */
  constructor(
    work: (controls: FinetuneControls) => Promise<FinetuneResult>,
    signal: AbortSignal | undefined,
  ) {
    const pauseSwitch = new PauseSwitch();
    super(
      async (controls) => {
        const started = (training: NativeTraining) => pauseSwitch.connect(training);
        const lastStepDone = () => pauseSwitch.end();
        try {
          return await work({ ...controls, started, lastStepDone });
        } finally {
          pauseSwitch.end();
        }
      },
      { signal },
    );
    this.#switch = pauseSwitch;
  }

  /** Whether the run is paused, or will pause before its next step. */
  get paused(): boolean {
    return this.#switch.paused;
  }

  /**
   * Pauses the training after the step that is running: it keeps its memory and uses no processor. The event 'pause' tells
   * when. Before the first step, the preparation runs to its end. After the last step it has no effect.
   */
  pause(): void {
    this.#switch.set(true);
  }

  /** Continues a paused training. */
  continue(): void {
    this.#switch.set(false);
  }
}
