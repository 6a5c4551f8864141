import type { FinetuneEvent } from '../finetune/events.js';
import type { FilterCounts } from './filter.js';
import type { RaftMetrics } from './metrics.js';
import type { RaftSample } from './samples.js';

/** The stage of a run that an event belongs to; `cycle` is null for 'baseline' and 'final'. */
export interface RaftPlace {
  stage: 'baseline' | 'samples' | 'training' | 'evaluation' | 'final';
  cycle: number | null;
}

/** An event of `raft()`. `type` is the discriminator. */
export type RaftEvent =
  /** The extent of the run, before its first stage; `finished` says how many of its `stages` an earlier call finished. */
  | {
      type: 'plan';
      prompts: number;
      evaluationPrompts: number;
      cycles: number;
      stages: number;
      finished: number;
    }
  /** A stage starts, or continues if `attempt` is above 1. */
  | ({ type: 'stage'; attempt: number } & RaftPlace)
  /** An answer was verified. */
  | ({
      type: 'sample';
      done: number;
      of: number;
      etaMs: number;
      sample: RaftSample;
    } & RaftPlace)
  /** All answers of a stage were verified. */
  | ({ type: 'measured'; metrics: RaftMetrics; tokensPerSecond: number | null } & RaftPlace)
  /** The answers of a cycle were filtered. */
  | { type: 'kept'; cycle: number; counts: FilterCounts }
  /** An event of the training of a cycle. */
  | { type: 'training'; cycle: number; event: FinetuneEvent }
  | { type: 'warning'; code: string; message: string };
