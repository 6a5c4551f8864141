import { distance } from 'fastest-levenshtein';

/** The name that was probably meant: the nearest in edit distance, if any is near enough; for "did you mean". */
export function closest(given: string, names: readonly string[]): string | undefined {
  const near = names
    .map((name) => {
      // 'rank' probably means 'lora.rank', however many letters apart they are.
      const last = name.slice(name.lastIndexOf('.') + 1);
      return { name, edits: Math.min(edits(given, name), edits(given, last) + 0.5) };
    })
    .filter((each) => each.edits < Math.max(2, Math.floor(given.length / 3)) + 1)
    .sort((a, b) => a.edits - b.edits);
  return near[0]?.name;
}

/** Letters in another order, as in 'modle', count as one edit. */
function edits(a: string, b: string): number {
  const [from, to] = [a.toLowerCase(), b.toLowerCase()];
  return sorted(from) === sorted(to) ? Number(from !== to) : distance(from, to);
}

const sorted = (text: string): string => [...text].sort().join('');
