import type { NativeModel } from '../contract/addon.js';
import type { ModelInfo } from '../contract/model.js';

/** What the data layer needs to know of a model's vocabulary. */
export type Vocabulary = Pick<
  ModelInfo,
  'vocabularySize' | 'chatTemplate' | 'bosToken' | 'eosToken' | 'eotToken' | 'addBos'
>;

/** The part of a model that tokenizes. */
export interface TextModel extends Pick<NativeModel, 'tokenize' | 'tokenBytes'> {
  info(): Vocabulary;
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
