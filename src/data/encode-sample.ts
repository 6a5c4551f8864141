import type { TemplateMessage } from '../config/chat-message.js';
import type { ParsedRow } from '../config/dataset-row.js';
import { LlamatuneError } from '../errors.js';
import {
  type ChatContent,
  chatPieces,
  endsWithAnswer,
  learnedTurns,
  weightOf,
} from './chat-mask.js';
import { renderMarkedChat } from './chat-template.js';
import { type EncodedSample, joinSamples, type Piece, PieceEncoder } from './encode-pieces.js';
import { invalidRow } from './rows.js';
import { TokenSpeller } from './token-speller.js';
import {
  needsBos,
  type SpecialTexts,
  specialTexts,
  type TextModel,
  type Vocabulary,
} from './tokenizer.js';

/**
 * Which tokens carry the loss.
 *
 * | loss | messages | prompt and completion as messages | as texts | text |
 * |---|---|---|---|---|
 * | all | the whole rendering | the whole rendering | both | the text |
 * | assistant | every assistant turn | every assistant turn of the completion | the completion | an error |
 * | last-assistant | the last assistant turn | the last assistant turn | the completion | an error |
 * | completion | the last assistant turn | every assistant turn of the completion | the completion | an error |
 *
 * Token rows have their own weights. An assistant message may have a weight, or `train: false`, which is a weight of 0. The
 * first token of a sample never carries a loss, because nothing predicts it.
 */
export type LossOn = 'all' | 'assistant' | 'last-assistant' | 'completion';

export interface SampleEncoderOptions {
  loss: LossOn;
  /** Replaces the chat template of the model. */
  chatTemplate?: string | undefined;
}

/** Turns rows into tokens and loss weights, for one model. */
export class SampleEncoder {
  /** Spells the tokens of this encoder's samples. */
  readonly speller: TokenSpeller;
  readonly #vocabulary: Vocabulary;
  readonly #special: SpecialTexts;
  readonly #endOfGeneration: ReadonlySet<number>;
  readonly #pieces: PieceEncoder;
  readonly #loss: LossOn;
  readonly #template: string | null;
  #openEnded: boolean | undefined;

  constructor(model: TextModel, options: SampleEncoderOptions) {
    this.speller = new TokenSpeller(model);
    this.#vocabulary = model.info();
    this.#endOfGeneration = new Set(this.#vocabulary.endOfGenerationTokens);
    this.#special = specialTexts(model, this.#vocabulary);
    this.#pieces = new PieceEncoder(model, this.speller);
    this.#loss = options.loss;
    this.#template = options.chatTemplate ?? this.#vocabulary.chatTemplate;
  }

  /**
   * Adds BOS if the vocabulary asks for it and the text does not start with it. Texts and completions end with EOS, which
   * also carries a loss, so that the model learns to stop; conversations end as their template ends them, or with EOS if it
   * writes nothing after the last answer. Text like '<|im_end|>' becomes its control token.
   *
   * @param where names the row in errors, e.g. 'train.jsonl:17'.
   * @throws LlamatuneError DATASET_NO_TARGET, DATASET_INVALID_ROW, NO_CHAT_TEMPLATE, TEMPLATE_FAILED,
   *   TOKENIZER_INEXACT.
   */
  encode(row: ParsedRow, where: string): EncodedSample {
    const sample = withLocation(where, () => this.#encodeRow(row, where));
    if (sample.weights.length > 0) sample.weights[0] = 0;
    if (!hasTarget(sample.weights)) throw noTarget(where, 'the sample has no token to learn');
    return sample;
  }

  #encodeRow(row: ParsedRow, where: string): EncodedSample {
    switch (row.kind) {
      case 'chat':
        return this.#withEnd(this.#withBos(this.#pieces.encode(this.#chatPieces(row, where))), row);
      case 'completion':
        return this.#encodeText([
          { text: row.prompt, weight: this.#loss === 'all' ? 1 : 0 },
          { text: row.completion, weight: 1 },
        ]);
      case 'text':
        if (this.#loss !== 'all') {
          throw noTarget(where, `a text has no answer that loss '${this.#loss}' could cover`);
        }
        return this.#encodeText([{ text: row.text, weight: 1 }]);
      case 'tokens':
        return this.#encodeTokens(row, where);
    }
  }

  #chatPieces(row: ChatContent, where: string): Piece[] {
    const { messages, tools } = row;
    const render = (part: readonly TemplateMessage[], continues: boolean) =>
      this.#render(part, tools, continues);
    this.#checkWeights(messages, where);
    const between = this.#loss === 'all' ? 1 : 0;
    const turns = this.#weightedTurns(row);
    if (this.#loss !== 'all' && turns.length === 0) throw noTarget(where, noAssistant(row));
    if (turns.length === 0) return [{ text: render(messages, false).text, weight: between }];
    return chatPieces(row, turns, between, render, this.#special.ends);
  }

  /** Messages whose weight differs from that of the text around them. */
  #weightedTurns(row: ChatContent): number[] {
    const { messages } = row;
    if (this.#loss !== 'all') return learnedTurns(row, this.#loss);
    return [...messages.keys()].filter((i) => {
      const message = messages[i]!;
      return message.role === 'assistant' && (weightOf(message) ?? 1) !== 1;
    });
  }

  /** Adds EOS to a conversation that ends with an answer, if the template writes nothing after answers. */
  #withEnd(sample: EncodedSample, row: ChatContent): EncodedSample {
    const { eosToken } = this.#vocabulary;
    const last = row.messages.at(-1)!;
    if (eosToken === null || last.role !== 'assistant' || !this.#hasOpenEnd()) return sample;
    const end = this.#lastToken(sample, () => true);
    if (end < 0 || this.#endOfGeneration.has(sample.tokens[end]!)) return sample;
    return joinSamples([sample, single(eosToken, sample.weights[end]!)]);
  }

  /** Whether the chat template writes at most white space after the last answer. */
  #hasOpenEnd(): boolean {
    this.#openEnded ??= endsWithAnswer((messages) => this.#render(messages, null, false).text);
    return this.#openEnded;
  }

  #render(messages: readonly TemplateMessage[], tools: unknown[] | null, continues: boolean) {
    return renderMarkedChat(this.#template, messages, {
      addGenerationPrompt: continues,
      bosToken: this.#special.bos,
      eosToken: this.#special.eos,
      tools,
    });
  }

  /**
   * The text of the token that ends the last learned answer of a conversation, if generation does not stop at this token;
   * otherwise undefined.
   */
  openEnd(row: ParsedRow, sample: EncodedSample): string | undefined {
    if (row.kind !== 'chat') return undefined;
    if (this.#loss === 'all' && row.messages.at(-1)!.role !== 'assistant') return undefined;
    return this.endWithoutStop(sample);
  }

  /** The same for what is learned last of any sample. */
  endWithoutStop(sample: EncodedSample): string | undefined {
    const token = sample.tokens[this.#lastToken(sample, (i) => sample.weights[i]! > 0)];
    if (token === undefined || this.#endOfGeneration.has(token)) return undefined;
    return this.speller.textOf(Int32Array.of(token));
  }

  /** The index of the last token that counts and is not white space; -1 if there is none. */
  #lastToken({ tokens }: EncodedSample, counts: (index: number) => boolean): number {
    const isText = (token: number) => this.speller.textOf(Int32Array.of(token)).trim() !== '';
    return tokens.findLastIndex((token, i) => counts(i) && isText(token));
  }

  /** Refuses weights on other roles, whose turns cannot be found in the rendered text. */
  #checkWeights(messages: readonly TemplateMessage[], where: string): void {
    const possible = this.#loss === 'all' ? 1 : 0;
    for (const [i, message] of messages.entries()) {
      const weight = weightOf(message);
      if (message.role === 'assistant' || weight === undefined || weight === possible) continue;
      throw invalidRow(
        where,
        `messages.${i}: expected weight ${possible} for role '${message.role}' with loss '${this.#loss}' but received ${weight}`,
      );
    }
  }

  #encodeText(pieces: readonly Piece[]): EncodedSample {
    const sample = this.#withBos(this.#pieces.encode(pieces));
    const { eosToken } = this.#vocabulary;
    const last = sample.tokens.at(-1);
    if (eosToken === null || (last !== undefined && this.#endOfGeneration.has(last))) return sample;
    return joinSamples([sample, single(eosToken, 1)]);
  }

  #encodeTokens(row: Extract<ParsedRow, { kind: 'tokens' }>, where: string): EncodedSample {
    const tokens = Int32Array.from(row.tokens);
    const limit = this.#vocabulary.vocabularySize;
    const wrong = tokens.findIndex((token) => token < 0 || token >= limit);
    if (wrong >= 0) {
      throw invalidRow(
        where,
        `tokens.${wrong}: expected a token id below ${limit} but received ${tokens[wrong]}`,
      );
    }
    const weights = row.weights ?? row.mask;
    return {
      tokens,
      weights:
        weights === undefined
          ? new Float32Array(tokens.length).fill(1)
          : Float32Array.from(weights as ArrayLike<number>),
    };
  }

  #withBos(sample: EncodedSample): EncodedSample {
    if (!needsBos(sample.tokens, this.#vocabulary)) return sample;
    return joinSamples([single(this.#vocabulary.bosToken!, 0), sample]);
  }
}

const single = (token: number, weight: number): EncodedSample => ({
  tokens: Int32Array.of(token),
  weights: Float32Array.of(weight),
});

function noAssistant({ messages }: ChatContent): string {
  const roles = [...new Set(messages.map(({ role }) => `'${role}'`))];
  return `the conversation has no assistant turn to learn, only the ${roles.length === 1 ? 'role' : 'roles'} ${roles.join(', ')}`;
}

export function hasTarget(weights: Float32Array): boolean {
  return weights.some((weight) => weight > 0);
}

function noTarget(where: string, reason: string): LlamatuneError {
  return new LlamatuneError('DATASET_NO_TARGET', `${where}: ${reason}`, {
    hint: "add a completion or an assistant turn, remove the row, or train on all tokens with loss: 'all'",
  });
}

/** Adds the row to errors of the template and the tokenizer. */
function withLocation<T>(where: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof LlamatuneError) || error.message.startsWith(where)) throw error;
    throw new LlamatuneError(error.code, `${where}: ${error.message}`, {
      hint: error.hint,
      cause: error,
    });
  }
}
