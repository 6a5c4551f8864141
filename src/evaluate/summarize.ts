import { classify } from './classification.js';
import { compareSystems, measured, type ScoresByRow, verdicts } from './compare.js';
import type { MeasuredValue, SystemComparison, SystemResults } from './results.js';
import type { Task } from './task.js';

/** Scores of a system by name of the task. */
export type ScoresByTask = ReadonlyMap<string, ScoresByRow>;

export interface ScoredSystem {
  name: string;
  scores: ScoresByTask;
}

/** The values of all measures for one system. */
export async function summarize(
  tasks: readonly Task[],
  scores: ScoresByTask,
  signal: AbortSignal,
): Promise<Pick<SystemResults, 'measures' | 'classifications'>> {
  const measures: [name: string, value: MeasuredValue][] = [];
  for (const task of tasks)
    for (const measure of task.measures)
      measures.push([measure.name, await measured(measure, scores.get(task.name)!, signal)]);
  const classifications = tasks.flatMap(({ name, labels }) => {
    if (labels === undefined) return [];
    const pairs = [...scores.get(name)!.values()].map(({ pair }) => pair!);
    return [[name, classify(labels, pairs)] as const];
  });
  return {
    measures: Object.fromEntries(measures),
    classifications: Object.fromEntries(classifications),
  };
}

/** Compares every pair of systems under every measure, each system with those before it. */
export async function compareAll(
  tasks: readonly Task[],
  systems: readonly ScoredSystem[],
  signal: AbortSignal,
): Promise<SystemComparison[]> {
  const pairs = systems.flatMap((b, i) => systems.slice(i + 1).map((a) => ({ a, b })));
  const tested = [];
  for (const task of tasks) {
    for (const measure of task.measures) {
      for (const { a, b } of pairs) {
        const of = ({ name, scores }: ScoredSystem) => ({ name, scores: scores.get(task.name)! });
        tested.push((await compareSystems({ measure, a: of(a), b: of(b) }, signal)) ?? []);
      }
    }
  }
  return verdicts(
    tested.flat(),
    tasks.flatMap(({ measures }) => measures),
  );
}
