import { distance } from 'fastest-levenshtein';

/** The name closest to `given` by edit distance, for "did you mean" hints; undefined if none is close enough. */
export function closest(given: string, names: readonly string[]): string | undefined {
  const candidates = names
    .map((name) => {
      // 'rank' probably means 'lora.rank', however many letters apart they are.
      const last = name.slice(name.lastIndexOf('.') + 1);
      return { name, edits: Math.min(edits(given, name), edits(given, last) + 0.5) };
    })
    .filter((each) => each.edits < Math.max(2, Math.floor(given.length / 3)) + 1)
    .sort((a, b) => a.edits - b.edits);
  return candidates[0]?.name;
}

/** Letters in another order, as in 'modle', count as one edit. */
function edits(a: string, b: string): number {
  const [from, to] = [a.toLowerCase(), b.toLowerCase()];
  return sorted(from) === sorted(to) ? Number(from !== to) : distance(from, to);
}

const sorted = (text: string): string => [...text].sort().join('');
