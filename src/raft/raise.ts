import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { startHardwareFile } from '../bench/suite/hardware-file.js';
import { replaceFile } from '../files/atomic-file.js';
import { jsonLines } from '../files/results-files.js';
import { raftFiles } from './folder.js';
import { readSamples } from './samples.js';
import {
  budgetOf,
  newSampledStage,
  type RaftCycle,
  type RaftSummary,
  type SampledStage,
} from './summary.js';

/**
 * Prepares the summary of a run, and its samples, for a higher budget. Stages whose answers are not enough become
 * unfinished and keep the answers that they have.
 *
 * @param planned the cycles of the higher budget, as at the start of a run
 */
export async function raiseBudget(
  folder: string,
  found: RaftSummary,
  options: RaftSummary['options'],
  planned: readonly RaftCycle[],
): Promise<RaftSummary> {
  const [before, after] = [budgetOf(found.options), budgetOf(options)];
  if (after.cycles === before.cycles && after.evaluationSamples === before.evaluationSamples) {
    return found;
  }
  let { final } = found;
  const cycles = planned.map((cycle, i) => {
    const earlier = found.cycles[i];
    if (earlier === undefined) return cycle;
    return { ...earlier, evaluation: earlier.evaluation ?? cycle.evaluation };
  });
  const last = found.cycles.length - 1;
  if (after.cycles > before.cycles && found.cycles[last]!.training.finished) {
    if (planned[last]!.evaluation !== null && final.attempts > 0) {
      await keepFinalAsEvaluation(folder, last + 1);
      cycles[last]!.evaluation = final;
    }
    final = newSampledStage();
  }
  const raised = { ...found, options, cycles, final, change: null, finishedAt: null };
  if (after.evaluationSamples > before.evaluationSamples) {
    for (const stage of evaluationsOf(raised))
      Object.assign(stage, { finished: false, metrics: null });
  }
  return raised;
}

const evaluationsOf = ({ baseline, cycles, final }: RaftSummary): SampledStage[] => [
  baseline,
  ...cycles.flatMap(({ evaluation }) => evaluation ?? []),
  final,
];

/** The model and the seeds of the final evaluation are those of an evaluation after the last cycle. */
async function keepFinalAsEvaluation(folder: string, cycle: number): Promise<void> {
  const files = raftFiles(folder);
  const inCycle = files.cycle(cycle);
  if (!existsSync(files.final)) return;
  const system = `evaluation ${cycle}`;
  const samples = readSamples(files.final).map((sample) => ({ ...sample, system }));
  replaceFile(inCycle.evaluation, jsonLines(samples), 'samples');
  await startHardwareFile(inCycle.hardware, 'stage', (stage) => stage !== 'evaluation');
  const [, ...readings] = readFileSync(files.finalHardware, 'utf8').split(/(?<=\n)/);
  const named = readings.map((line) => line.replace(/^final,/, 'evaluation,'));
  appendFileSync(inCycle.hardware, named.join(''));
}

/** Removes what an earlier final evaluation has left, unless the run continues that one. */
export function removeEarlierFinal(folder: string, { final }: RaftSummary): void {
  if (final.attempts > 0) return;
  const files = raftFiles(folder);
  for (const path of [files.final, files.finalHardware]) rmSync(path, { force: true });
}
