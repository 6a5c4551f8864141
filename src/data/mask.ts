import type { ChatRow } from '../config/dataset-row.js';
import { LlamatuneError } from '../errors.js';
import { findAssistantTurns } from './chat-spans.js';
import { renderChat } from './chat-template.js';
import { type EncodedSample, joinSamples, type Piece, PieceEncoder } from './encode-pieces.js';
import { invalidRow, type ShapedRow } from './rows.js';
import {
  missesBos,
  type SpecialTexts,
  specialTexts,
  type TextModel,
  type Vocabulary,
} from './tokenizer.js';

/**
 * Which tokens carry the loss.
 *
 * | loss | messages | prompt, completion | text |
 * |---|---|---|---|
 * | all | the whole rendering | both | the text |
 * | completion | the last assistant turn | the completion | an error |
 * | assistant | every assistant turn | the completion | an error |
 *
 * Rows of tokens bring their own mask. A sample's first token never carries a loss: nothing stands before it.
 */
export type LossOn = 'all' | 'completion' | 'assistant';

export interface SampleEncoderOptions {
  loss: LossOn;
  /** In place of the model's own chat template. */
  chatTemplate?: string | undefined;
}

/** Turns rows into tokens and loss masks, for one model. */
export class SampleEncoder {
  readonly #vocabulary: Vocabulary;
  readonly #special: SpecialTexts;
  readonly #pieces: PieceEncoder;
  readonly #loss: LossOn;
  readonly #template: string | null;

  constructor(model: TextModel, options: SampleEncoderOptions) {
    this.#vocabulary = model.info();
    this.#special = specialTexts(model, this.#vocabulary);
    this.#pieces = new PieceEncoder(model);
    this.#loss = options.loss;
    this.#template = options.chatTemplate ?? this.#vocabulary.chatTemplate;
  }

  /**
   * BOS is put in front where the vocabulary wants one and the text does not start with it. Text
   * and completions end with EOS, which carries the loss too, or the model would not learn to stop;
   * conversations end as their template ends them. Text like '<|im_end|>' becomes its control token.
   *
   * @param where names the row in errors, e.g. 'train.jsonl:17'.
   * @throws LlamatuneError DATASET_NO_TARGET, DATASET_INVALID_ROW, NO_CHAT_TEMPLATE, TEMPLATE_FAILED,
   *   TOKENIZER_INEXACT.
   */
  encode(shaped: ShapedRow, where: string): EncodedSample {
    const sample = located(where, () => this.#encodeShape(shaped, where));
    if (sample.mask.length > 0) sample.mask[0] = 0;
    if (!sample.mask.includes(1)) throw noTarget(where, 'a sample with a token to learn', 'none');
    return sample;
  }

  #encodeShape(shaped: ShapedRow, where: string): EncodedSample {
    switch (shaped.shape) {
      case 'chat':
        return this.#withBos(this.#pieces.encode(this.#chatPieces(shaped.row, where)));
      case 'completion': {
        const { prompt, completion } = shaped.row;
        return this.#encodeText([
          { text: prompt, target: this.#loss === 'all' },
          { text: completion, target: true },
        ]);
      }
      case 'text':
        if (this.#loss !== 'all') {
          throw noTarget(where, `a row for loss '${this.#loss}'`, 'a text without an answer in it');
        }
        return this.#encodeText([{ text: shaped.row.text, target: true }]);
      case 'tokens':
        return this.#encodeTokens(shaped.row, where);
    }
  }

  #chatPieces({ messages, tools }: ChatRow, where: string): Piece[] {
    const render = (part: ChatRow['messages'], addGenerationPrompt: boolean) =>
      renderChat(this.#template, part, {
        addGenerationPrompt,
        bosToken: this.#special.bos,
        eosToken: this.#special.eos,
        tools: tools ?? null,
      });
    const text = render(messages, false);
    if (this.#loss === 'all') return [{ text, target: true }];
    const every = [...messages.keys()].filter((index) => messages[index]!.role === 'assistant');
    if (every.length === 0) {
      throw noTarget(where, 'a conversation with an assistant turn', 'one without');
    }
    const turns = this.#loss === 'assistant' ? every : every.slice(-1);
    const ends = [this.#special.eot, this.#special.eos];
    const spans = findAssistantTurns(text, messages, turns, render, ends);
    let at = 0;
    const pieces = spans.flatMap(({ start, end }) => {
      const before = { text: text.slice(at, start), target: false };
      at = end;
      return [before, { text: text.slice(start, end), target: true }];
    });
    return [...pieces, { text: text.slice(at), target: false }];
  }

  #encodeText(pieces: readonly Piece[]): EncodedSample {
    const sample = this.#withBos(this.#pieces.encode(pieces));
    const { eosToken, eotToken } = this.#vocabulary;
    const last = sample.tokens.at(-1);
    if (eosToken === null || last === eosToken || (last !== undefined && last === eotToken)) {
      return sample;
    }
    return joinSamples([sample, single(eosToken, 1)]);
  }

  #encodeTokens(row: Extract<ShapedRow, { shape: 'tokens' }>['row'], where: string): EncodedSample {
    const tokens = Int32Array.from(row.tokens);
    const limit = this.#vocabulary.vocabularySize;
    const wrong = tokens.findIndex((token) => token < 0 || token >= limit);
    if (wrong >= 0) {
      throw invalidRow(
        where,
        `tokens.${wrong}: expected a token id below ${limit} but received ${tokens[wrong]}`,
      );
    }
    const mask =
      row.mask === undefined
        ? new Uint8Array(tokens.length).fill(1)
        : Uint8Array.from(row.mask as ArrayLike<number>);
    return { tokens, mask };
  }

  #withBos(sample: EncodedSample): EncodedSample {
    if (!missesBos(sample.tokens, this.#vocabulary)) return sample;
    return joinSamples([single(this.#vocabulary.bosToken!, 0), sample]);
  }
}

const single = (token: number, mask: 0 | 1): EncodedSample => ({
  tokens: Int32Array.of(token),
  mask: Uint8Array.of(mask),
});

function noTarget(where: string, expected: string, received: string): LlamatuneError {
  return new LlamatuneError(
    'DATASET_NO_TARGET',
    `${where}: expected ${expected} but received ${received}`,
    { hint: "add what is to be learned, remove the row, or train on everything with loss: 'all'" },
  );
}

/** Errors of a template or tokenizer do not know the row: name it. */
function located<T>(where: string, work: () => T): T {
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
