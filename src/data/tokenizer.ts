/** What the data layer needs to know of a model's vocabulary. */
export interface Vocabulary {
  vocabularySize: number;
  chatTemplate: string | null;
  bosToken: number | null;
  eosToken: number | null;
  /** End-of-turn token, where the vocabulary names one. */
  eotToken: number | null;
  /** The vocabulary wants bosToken at the start of every text. */
  addBos: boolean;
}

/** A model seen as a tokenizer. The native model is one; so is anything that fits. */
export interface TextModel {
  info(): Vocabulary;
  /** parseSpecial: text like '<|im_start|>' becomes its control token. */
  tokenize(text: string, addSpecial: boolean, parseSpecial: boolean): Int32Array;
  /** UTF-8 bytes of one token's text; control tokens are rendered when `special`. */
  tokenBytes(token: number, special: boolean): Uint8Array;
}

/** A vocabulary's special tokens as text, control tokens included; '' where there is none. */
export interface SpecialTexts {
  bos: string;
  eos: string;
  eot: string;
}

export function specialTexts(model: TextModel, vocabulary: Vocabulary): SpecialTexts {
  const decoder = new TextDecoder();
  const text = (token: number | null) =>
    token === null ? '' : decoder.decode(model.tokenBytes(token, true));
  return {
    bos: text(vocabulary.bosToken),
    eos: text(vocabulary.eosToken),
    eot: text(vocabulary.eotToken),
  };
}

/** Whether BOS belongs in front: the vocabulary wants one and the text has not brought it itself. */
export function missesBos(tokens: Int32Array, { addBos, bosToken }: Vocabulary): boolean {
  return addBos && bosToken !== null && tokens[0] !== bosToken;
}
