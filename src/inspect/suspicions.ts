import type { ParsedRow } from '../config/dataset-row.js';
import type { EncodedSample } from '../data/encode-pieces.js';
import type { SampleEncoder } from '../data/encode-sample.js';
import type { TextModel } from '../data/tokenizer.js';

/** Something in a row that looks like a mistake. */
export interface Suspicion {
  code: keyof typeof SUSPICIONS;
  /** What was found in this row. */
  detail: string;
}

export const SUSPICIONS = {
  ANSWER_WITHOUT_END:
    'what is learned does not end with an end-of-generation token, so generation would continue',
  EMPTY_ANSWER: 'nothing but white space and control tokens is learned',
  CONTROL_TOKEN_IN_CONTENT: 'the content of a message has text that becomes a control token',
  UNKNOWN_CONTROL_TOKEN: 'text that looks like a control token is not one in this vocabulary',
  TWO_BOS: 'the row starts with two BOS tokens',
  REPLACEMENT_CHARACTER: 'the text has U+FFFD, which replaces what could not be decoded',
} as const;

/** What control tokens of the usual formats look like. */
const LOOKS_LIKE_CONTROL = /<\|[\w .:-]{1,40}\|>|<(?:start|end)_of_turn>|\[\/?INST\]/g;

/** Looks for mistakes in rows. */
export class SuspicionFinder {
  readonly #model: TextModel;
  readonly #encoder: SampleEncoder;
  readonly #bos: number | null;
  /** Whether a text that looks like a control token is one. */
  readonly #isControl = new Map<string, boolean>();

  constructor(model: TextModel, encoder: SampleEncoder) {
    this.#model = model;
    this.#encoder = encoder;
    this.#bos = model.info().bosToken;
  }

  /** @param text of the sample's tokens */
  find(row: ParsedRow, sample: EncodedSample, text: string): Suspicion[] {
    const found: [Suspicion['code'], string | undefined][] = [
      ['EMPTY_ANSWER', this.#emptyAnswer(sample)],
      ['ANSWER_WITHOUT_END', this.#openEnd(sample)],
      ['CONTROL_TOKEN_IN_CONTENT', this.#controlInContent(row)],
      ['UNKNOWN_CONTROL_TOKEN', this.#unknownControl(text)],
      ['TWO_BOS', this.#twoBos(sample)],
      ['REPLACEMENT_CHARACTER', excerptAt(text, text.indexOf('\uFFFD'))],
    ];
    return found.flatMap(([code, detail]) => (detail === undefined ? [] : [{ code, detail }]));
  }

  #openEnd(sample: EncodedSample): string | undefined {
    const end = this.#encoder.endWithoutStop(sample);
    return end === undefined ? undefined : `ends with '${end}'`;
  }

  #emptyAnswer({ tokens, weights }: EncodedSample): string | undefined {
    const { speller } = this.#encoder;
    const learned = tokens.filter((token, i) => weights[i]! > 0 && !speller.isControl(token));
    if (speller.textOf(learned).trim() !== '') return undefined;
    const all = speller.textOf(tokens.filter((_, i) => weights[i]! > 0));
    return `only ${JSON.stringify(all)} is learned`;
  }

  #controlInContent(row: ParsedRow): string | undefined {
    if (row.kind !== 'chat') return undefined;
    const { speller } = this.#encoder;
    for (const [i, { content }] of row.messages.entries()) {
      // control tokens contain one of these two, and few contents do
      if (content === undefined || !/[<[]/.test(content)) continue;
      const control = this.#model
        .tokenize(content, false, true)
        .find((token) => speller.isControl(token));
      if (control === undefined) continue;
      return `messages.${i} has ${speller.textOf(Int32Array.of(control))}`;
    }
    return undefined;
  }

  #unknownControl(text: string): string | undefined {
    for (const match of text.matchAll(LOOKS_LIKE_CONTROL)) {
      const [marker] = match;
      let known = this.#isControl.get(marker);
      if (known === undefined) {
        known = this.#model
          .tokenize(marker, false, true)
          .some((token) => this.#encoder.speller.isControl(token));
        // markers of formats are few; a text that is full of others is not a reason to keep them all
        if (this.#isControl.size < 1000) this.#isControl.set(marker, known);
      }
      if (!known) return marker;
    }
    return undefined;
  }

  #twoBos({ tokens }: EncodedSample): string | undefined {
    return this.#bos !== null && tokens[0] === this.#bos && tokens[1] === this.#bos
      ? 'remove the BOS token from the text or the template'
      : undefined;
  }
}

/** The text around a place; undefined if there is no such place. */
function excerptAt(text: string, at: number): string | undefined {
  return at < 0 ? undefined : JSON.stringify(text.slice(Math.max(0, at - 20), at + 20));
}
