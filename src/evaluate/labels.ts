import { foldedLabel, plainText } from '../config/label-words.js';
import { isUnspaced } from './text-metrics.js';

/** Labels with the words that mean them. */
export type Labels = Readonly<Record<string, readonly string[]>>;

/** The default labels, e.g. of questions of PubMedQA. */
export const YES_NO_UNCERTAIN: Labels = {
  yes: ['yes', 'yeah', 'yep', 'true', 'correct', 'affirmative'],
  no: ['no', 'nope', 'false', 'incorrect', 'untrue', 'not true', 'not correct', 'negative'],
  uncertain: [
    ...[
      'uncertain',
      'maybe',
      'perhaps',
      'possibly',
      'unclear',
      'unknown',
      'unsure',
      'undetermined',
    ],
    ...[
      'inconclusive',
      'ambiguous',
      'undecided',
      'not sure',
      'not certain',
      'not clear',
      'not known',
    ],
    ...['cannot be determined', "can't be determined", 'cannot tell', "can't tell"],
    ...[
      "don't know",
      'do not know',
      'it depends',
      'insufficient evidence',
      'not enough information',
    ],
  ],
};

/** Finds the labels of answers. */
export class LabelParser {
  readonly names: readonly string[];
  readonly #patterns: { label: string; pattern: RegExp }[];
  readonly #exact: Map<string, string>;

  constructor(labels: Labels) {
    this.names = Object.keys(labels);
    const words = Object.entries(labels).flatMap(([label, synonyms]) =>
      [...new Set([label, ...synonyms])].map((word) => ({ label, word })),
    );
    this.#patterns = words.map(({ label, word }) => ({ label, pattern: wordPattern(word) }));
    this.#exact = new Map(words.map(({ label, word }) => [foldedLabel(word), label]));
  }

  /**
   * The label whose name or synonym comes first in the text, as a whole word, in any case; of several that start at the same
   * place, the longest. A label of one letter must have the same case. null if there is none.
   */
  parse(text: string): string | null {
    let found: { label: string; at: number; length: number } | null = null;
    const plain = plainText(text);
    for (const { label, pattern } of this.#patterns) {
      const match = pattern.exec(plain);
      if (match === null) continue;
      const { index: at } = match;
      const { length } = match[0];
      if (found === null || at < found.at || (at === found.at && length > found.length))
        found = { label, at, length };
    }
    return found?.label ?? null;
  }

  /** The label that a value of a dataset names; null if it is none. */
  named(value: unknown): string | null {
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
      ? (this.#exact.get(foldedLabel(String(value))) ?? null)
      : null;
  }
}

function wordPattern(word: string): RegExp {
  const plain = plainText(word).trim();
  const characters = [...plain];
  const escaped = plain.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&').replace(/\s+/gu, '\\s+');
  const edge = (character: string, before: boolean) => {
    // Scripts without spaces have no word boundaries.
    if (!/[\p{L}\p{M}\p{N}]/u.test(character) || isUnspaced(character)) return '';
    return before ? '(?<![\\p{L}\\p{M}\\p{N}_])' : '(?![\\p{L}\\p{M}\\p{N}_])';
  };
  const flags = characters.length === 1 ? 'u' : 'iu';
  return new RegExp(
    `${edge(characters[0] ?? '', true)}${escaped}${edge(characters.at(-1) ?? '', false)}`,
    flags,
  );
}
