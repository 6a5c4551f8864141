/** A text as labels are searched in. */
export const plainText = (text: string): string => text.normalize('NFC').replaceAll('’', "'");

/** A label without regard to case. One letter keeps its case: 'a' is also an English word. */
export function foldedLabel(word: string): string {
  const plain = plainText(word).trim();
  return plain.length === 1 ? plain : plain.toLowerCase();
}

/** A word that means two labels; undefined if there is none. */
export function ambiguousWord(labels: Readonly<Record<string, readonly string[]>>) {
  const meanings = new Map<string, string>();
  for (const [label, synonyms] of Object.entries(labels))
    for (const word of [label, ...synonyms]) {
      const meaning = meanings.get(foldedLabel(word)) ?? label;
      if (meaning !== label) return word;
      meanings.set(foldedLabel(word), label);
    }
  return undefined;
}
