import type { SandboxMode } from '../config/sandbox.js';
import { runIsolated } from './isolated.js';
import type { JobRunner, SandboxJob, StepOutcome } from './job.js';
import { runUnprotected, runWithLimits } from './plain.js';
import { withSlot } from './slots.js';

const RUNNERS: Readonly<Record<SandboxMode, JobRunner>> = {
  isolated: runIsolated,
  limits: runWithLimits,
  none: runUnprotected,
};

/**
 * Runs the programs of a job, as many jobs at a time as there are CPUs.
 *
 * @throws LlamatuneError SANDBOX_FAILED; ABORTED
 */
export const runJob = (
  mode: SandboxMode,
  job: SandboxJob,
  signal?: AbortSignal,
): Promise<StepOutcome[]> => withSlot(() => RUNNERS[mode](job, signal), signal);
