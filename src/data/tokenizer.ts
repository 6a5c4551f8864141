import type { NativeModel } from '../contract/addon.js';
import type { ModelInfo } from '../contract/model.js';

/** The fields of a model's vocabulary that the data layer uses. */
export type Vocabulary = Pick<
  ModelInfo,
  | 'vocabularySize'
  | 'chatTemplate'
  | 'bosToken'
  | 'eosToken'
  | 'eotToken'
  | 'endOfGenerationTokens'
  | 'addBos'
>;

/** The part of a model that tokenizes. */
export interface TextModel extends Pick<NativeModel, 'tokenize' | 'tokenBytes'> {
  info(): Vocabulary;
}

/** Text of the special tokens of a vocabulary; '' for a token that it does not have. */
export interface SpecialTexts {
  bos: string;
  eos: string;
  /** Texts that end a turn. */
  ends: string[];
}

export function specialTexts(model: TextModel, vocabulary: Vocabulary): SpecialTexts {
  const decoder = new TextDecoder();
  const text = (token: number | null) =>
    token === null ? '' : decoder.decode(model.tokenBytes(token, true));
  const { bosToken, eosToken, eotToken, endOfGenerationTokens } = vocabulary;
  const ends = new Set([eotToken, eosToken, ...endOfGenerationTokens].map(text));
  ends.delete('');
  return { bos: text(bosToken), eos: text(eosToken), ends: [...ends] };
}

/** Whether BOS must be added: the vocabulary asks for it and the tokens do not start with it. */
export function needsBos(tokens: Int32Array, { addBos, bosToken }: Vocabulary): boolean {
  return addBos && bosToken !== null && tokens[0] !== bosToken;
}
