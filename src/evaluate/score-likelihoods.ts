import type { EvaluateConfig } from '../config/evaluate.js';
import type { SequenceScore } from '../contract/scoring.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { score } from '../score/score.js';
import type { ScoresByRow } from './compare.js';
import type { EvaluationRow } from './rows.js';
import type { LikelihoodTask, TaskScore } from './task.js';

interface ScoringControls {
  signal: AbortSignal;
  onProgress: (done: number, of: number, etaMs: number) => void;
}

/**
 * Scores all rows by how likely a model finds their continuations.
 *
 * @throws LlamatuneError of score()
 */
export async function scoreLikelihoods(
  task: LikelihoodTask,
  system: EvaluateConfig['systems'][number],
  model: LoadedModel,
  rows: readonly EvaluationRow[],
  { threads, flashAttention }: EvaluateConfig,
  { signal, onProgress }: ScoringControls,
): Promise<ScoresByRow> {
  const sequences = rows.map((row) => task.sequencesOf(row));
  const scored = rows.map(() => [] as SequenceScore[]);
  const places = sequences.flatMap((list, row) =>
    list.map(({ loss }, position) => ({ row, position, loss })),
  );
  for (const loss of ['last-assistant', 'all'] as const) {
    const chosen = places.filter((place) => place.loss === loss);
    if (chosen.length === 0) continue;
    const { adapters, chatTemplate } = system;
    const run = score({
      ...{ model, adapters, loss, threads, flashAttention, signal, perToken: true },
      ...(chatTemplate === undefined ? {} : { chatTemplate }),
      dataset: chosen.map(({ row, position }) => sequences[row]![position]!.row),
    });
    for await (const event of run)
      if (event.type === 'progress') onProgress(event.sequences, event.totalSequences, event.etaMs);
    const { sequences: results } = await run.result;
    for (const [i, { row, position }] of chosen.entries()) scored[row]![position] = results[i]!;
  }
  const ends = new Set(model.info.endOfGenerationTokens);
  return new Map(
    rows.map((row, i): [number, TaskScore] => [row.index, task.score(row, scored[i]!, ends)]),
  );
}
