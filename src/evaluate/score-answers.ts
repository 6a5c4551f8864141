import { pacer } from '../data/pause.js';
import { withoutThinking } from '../generate/thinking.js';
import type { ScoresByRow } from './compare.js';
import type { EvaluationRow } from './rows.js';
import type { EvaluationSample } from './samples.js';
import type { ScoresByTask } from './summarize.js';
import type { Answer, PrepareControls, Task, TaskScore } from './task.js';

interface AnswerOptions {
  rows: readonly EvaluationRow[];
  stripThinking: boolean;
}

/** The answers in samples, without those of systems that were not asked. */
function answersOf(
  samples: readonly EvaluationSample[],
  { rows, stripThinking }: AnswerOptions,
): { answer: Answer; sample: EvaluationSample }[] {
  const byIndex = new Map(rows.map((row) => [row.index, row]));
  return samples.flatMap((sample) => {
    const { index, output, system } = sample;
    if (output === null) return [];
    const text = stripThinking ? withoutThinking(output) : output;
    return [{ sample, answer: { row: byIndex.get(index)!, system, text } }];
  });
}

/** Gives the tasks that need it all answers at once, before any is scored. */
export async function prepareTasks(
  tasks: readonly Task[],
  samples: readonly EvaluationSample[],
  options: AnswerOptions,
  controls: PrepareControls,
): Promise<void> {
  const answers = answersOf(samples, options).map(({ answer }) => answer);
  for (const task of tasks) await task.prepare?.(answers, controls);
}

/**
 * Scores the answers of a system and notes the scores in its samples.
 *
 * @param likelihoods the scores of the tasks that need no answers
 */
export async function scoreAnswers(
  tasks: readonly Task[],
  samples: readonly EvaluationSample[],
  likelihoods: ScoresByTask,
  options: AnswerOptions,
  signal: AbortSignal,
): Promise<ScoresByTask> {
  const answers = answersOf(samples, options);
  const pace = pacer(signal);
  const scores = new Map<string, ScoresByRow>();
  for (const task of tasks) {
    const found = new Map<number, TaskScore>(likelihoods.get(task.name) ?? []);
    if (task.score !== undefined)
      for (const { answer } of answers) {
        await pace();
        found.set(answer.row.index, await task.score(answer, signal));
      }
    scores.set(task.name, found);
    for (const sample of samples) note(sample, task.name, found.get(sample.index));
  }
  return scores;
}

function note(sample: EvaluationSample, task: string, score: TaskScore | undefined): void {
  if (score === undefined) return;
  sample.scores[task] = score.value;
  if (score.pair !== undefined) sample.labels = { ...sample.labels, [task]: score.pair.predicted };
}
