import type { SandboxLimits } from '../config/sandbox.js';
import type { StepOutcome } from './job.js';
import { memoryOfTree } from './process-tree.js';

const POLL_MS = 100;

/** Kills a program that runs for too long or whose processes use too much memory together. */
export class LimitWatch {
  stopped: StepOutcome['stopped'] = null;
  readonly #kill: () => void;
  readonly #timer: NodeJS.Timeout;
  readonly #poll: NodeJS.Timeout;
  readonly #started = performance.now();

  /** @param pid the process whose descendants count */
  constructor(pid: number, { timeMs, memoryBytes }: SandboxLimits, kill: () => void) {
    this.#kill = kill;
    this.#timer = setTimeout(() => this.stop('time'), timeMs);
    this.#poll = setInterval(() => {
      if (memoryOfTree(pid) > memoryBytes) this.stop('memory');
    }, POLL_MS);
  }

  /** Kills the program because of a limit. */
  stop(limit: NonNullable<StepOutcome['stopped']>): void {
    this.stopped ??= limit;
    this.#kill();
  }

  /** Ends the watch and returns how long it lasted, in milliseconds. */
  end(): number {
    clearTimeout(this.#timer);
    clearInterval(this.#poll);
    return performance.now() - this.#started;
  }
}
