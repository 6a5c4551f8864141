import type { RaftConfig } from '../config/raft.js';
import type { RaftTask } from './prompts.js';
import { byPromptAndSample, type RaftSample } from './samples.js';

type Filter = RaftConfig['filter'];

/** How many answers of a cycle are kept, and how many each rule drops. */
export interface FilterCounts {
  samples: number;
  /** Not selected: failed, or with too low a score. */
  notSelected: number;
  /** Selected, but without any text, so that there is nothing to learn. */
  empty: number;
  /** Selected, but reached maxTokens. */
  truncated: number;
  /** The same text as another answer to the prompt. */
  duplicates: number;
  /** Dropped because `select` and `maxPerPrompt` keep fewer answers of the prompt. */
  overMost: number;
  /** Dropped so that the groups of `balance` have equal size. */
  unbalanced: number;
  kept: number;
  /** Prompts with at least one answer that is kept. */
  promptsKept: number;
}

/**
 * The answers that are learned, by prompt and then by sample. Nothing is random: higher scores come first, and of equal
 * ones the first sample.
 */
export function filterSamples(
  samples: readonly RaftSample[],
  filter: Filter,
  tasks: readonly RaftTask[],
): { kept: RaftSample[]; counts: FilterCounts } {
  const selected = samples.filter((each) => isSelected(each, filter));
  const written = selected.filter(({ output }) => output !== '');
  const ended = filter.keepTruncated
    ? written
    : written.filter(({ finishReason }) => finishReason !== 'length');
  const ranked = [...byPrompt(ended)].map((answers) => answers.sort(byScore));
  const different = filter.dedupe ? ranked.map(withoutDuplicates) : ranked;
  const most = different.map((answers) => answers.slice(0, mostOf(filter)));
  const kept = filter.balance === undefined ? most.flat() : balanced(most, filter.balance, tasks);
  const count = (answers: readonly RaftSample[][]) => answers.flat().length;
  return {
    kept: [...kept].sort(byPromptAndSample),
    counts: {
      samples: samples.length,
      notSelected: samples.length - selected.length,
      empty: selected.length - written.length,
      truncated: written.length - ended.length,
      duplicates: count(ranked) - count(different),
      overMost: count(different) - count(most),
      unbalanced: count(most) - kept.length,
      kept: kept.length,
      promptsKept: new Set(kept.map(({ index }) => index)).size,
    },
  };
}

function isSelected(
  { verdict, finishReason }: RaftSample,
  { select, minScore = 0 }: Filter,
): boolean {
  if (select !== 'best') return verdict.passed;
  return finishReason !== 'error' && verdict.score >= minScore;
}

function mostOf({ select, best = 1, maxPerPrompt = Number.POSITIVE_INFINITY }: Filter): number {
  if (select === 'passing') return maxPerPrompt;
  return Math.min(select === 'one' ? 1 : best, maxPerPrompt);
}

function byPrompt(samples: readonly RaftSample[]): Iterable<RaftSample[]> {
  const prompts = new Map<number, RaftSample[]>();
  for (const each of samples) prompts.set(each.index, [...(prompts.get(each.index) ?? []), each]);
  return prompts.values();
}

const byScore = (a: RaftSample, b: RaftSample): number =>
  b.verdict.score - a.verdict.score || a.sample - b.sample;

/** The first of the answers that differ in white space only. */
function withoutDuplicates(answers: readonly RaftSample[]): RaftSample[] {
  const texts = new Set<string>();
  return answers.filter(({ output }) => {
    const text = output.trim().replaceAll(/\s+/g, ' ');
    return !texts.has(text) && texts.add(text);
  });
}

/** As many answers of each value of a column as of the rarest one: the first of every prompt, then the second, … */
function balanced(
  answers: readonly RaftSample[][],
  column: string,
  tasks: readonly RaftTask[],
): RaftSample[] {
  const groups = new Map<string, { rank: number; each: RaftSample }[]>();
  for (const ofPrompt of answers) {
    for (const [rank, each] of ofPrompt.entries()) {
      const value = String(tasks[each.index]?.row[column]);
      groups.set(value, [...(groups.get(value) ?? []), { rank, each }]);
    }
  }
  const fewest = Math.min(...[...groups.values()].map(({ length }) => length));
  return [...groups.values()].flatMap((group) =>
    group
      .sort((a, b) => a.rank - b.rank || a.each.index - b.each.index)
      .slice(0, fewest)
      .map(({ each }) => each),
  );
}
