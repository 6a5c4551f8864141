import { distance } from 'fastest-levenshtein';

/** What other trainers or earlier versions call an option, where its own name is too different to be found. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  recompute: 'gradientCheckpointing',
  tooLong: 'overlength',
  lr: 'learningRate',
  maxSeqLength: 'sequenceLength',
  maxLength: 'sequenceLength',
  usedExperts: 'expertsPerToken',
};

/** The name closest to `given` by edit distance, for "did you mean" hints; undefined if none is close enough. */
export function closest(given: string, names: readonly string[]): string | undefined {
  const renamed = names.find((name) => lastPart(name) === OTHER_NAMES[lastPart(given)]);
  if (renamed !== undefined) return renamed;
  const candidates = names
    .map((name) => {
      // 'rank' probably means 'lora.rank', however many letters apart they are.
      const last = lastPart(name);
      const least = Math.min(edits(given, name), edits(given, last) + 0.5);
      return { name, edits: isEndOf(given, last) ? Math.min(1, least) : least };
    })
    .filter((each) => each.edits < Math.max(2, Math.floor(given.length / 3)) + 1)
    .sort((a, b) => a.edits - b.edits);
  return candidates[0]?.name;
}

const lastPart = (name: string): string => name.slice(name.lastIndexOf('.') + 1);

/** 'checkpointing' means 'gradientCheckpointing'; a shorter end may be that of several names. */
const isEndOf = (given: string, name: string): boolean =>
  given.length > 5 && name.toLowerCase().endsWith(given.toLowerCase());

/** Letters in another order, as in 'modle', count as one edit. */
function edits(a: string, b: string): number {
  const [from, to] = [a.toLowerCase(), b.toLowerCase()];
  return sorted(from) === sorted(to) ? Number(from !== to) : distance(from, to);
}

const sorted = (text: string): string => [...text].sort().join('');
