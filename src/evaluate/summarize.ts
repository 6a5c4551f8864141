import { setImmediate } from 'node:timers/promises';
import { throwIfAborted } from '../contract/run.js';
import { classify } from './classification.js';
import { compareSystems, measured, type ScoresByRow, verdicts } from './compare.js';
import type { SystemComparison, SystemResults } from './results.js';
import type { Task } from './task.js';

/** Scores of a system by name of the task. */
export type ScoresByTask = ReadonlyMap<string, ScoresByRow>;

export interface ScoredSystem {
  name: string;
  scores: ScoresByTask;
}

/** What the tasks measured for one system. */
export function summarize(
  tasks: readonly Task[],
  scores: ScoresByTask,
): Pick<SystemResults, 'measures' | 'classifications'> {
  const measures = tasks.flatMap((task) =>
    task.measures.map(
      (measure) => [measure.name, measured(measure, scores.get(task.name)!)] as const,
    ),
  );
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
        // A test of many rows takes a part of a second.
        await setImmediate();
        throwIfAborted(signal);
        const of = ({ name, scores }: ScoredSystem) => ({ name, scores: scores.get(task.name)! });
        tested.push(compareSystems({ measure, a: of(a), b: of(b) }) ?? []);
      }
    }
  }
  return verdicts(
    tested.flat(),
    tasks.flatMap(({ measures }) => measures),
  );
}
