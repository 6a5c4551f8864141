import type { FinetuneEvent } from '../finetune/events.js';

/** Receives the events of a run, in order. */
export interface Tracker {
  write(event: FinetuneEvent): void | Promise<void>;
  close?(): void;
}

/** Called with every event of a run. */
export type OnFinetuneEvent = (event: FinetuneEvent) => void | Promise<void>;
