import type { TemplateMessage } from '../config/chat-message.js';
import type { ParsedRow } from '../config/dataset-row.js';
import { LlamatuneError } from '../errors.js';
import { findAssistantTurns } from './chat-spans.js';
import { renderChat } from './chat-template.js';
import { type EncodedSample, joinSamples, type Piece, PieceEncoder } from './encode-pieces.js';
import { invalidRow } from './rows.js';
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
 * | loss | messages | prompt, completion | text |
 * |---|---|---|---|
 * | all | the whole rendering | both | the text |
 * | completion | the last assistant turn | the completion | an error |
 * | assistant | every assistant turn | the completion | an error |
 *
 * Token rows have their own weights. An assistant message may have a weight, or `train: false`, which is a weight of 0. The
 * first token of a sample never carries a loss, because nothing predicts it.
 */
export type LossOn = 'all' | 'completion' | 'assistant';

export interface SampleEncoderOptions {
  loss: LossOn;
  /** Replaces the chat template of the model. */
  chatTemplate?: string | undefined;
}

type ChatContent = Extract<ParsedRow, { kind: 'chat' }>;

/** Turns rows into tokens and loss weights, for one model. */
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
   * Adds BOS if the vocabulary asks for it and the text does not start with it. Texts and completions end with EOS, which
   * also carries a loss, so that the model learns to stop; conversations end as their template ends them. Text like
   * '<|im_end|>' becomes its control token.
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
        return this.#withBos(this.#pieces.encode(this.#chatPieces(row, where)));
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
    const render = (part: readonly TemplateMessage[], addGenerationPrompt: boolean) =>
      renderChat(this.#template, part, {
        addGenerationPrompt,
        bosToken: this.#special.bos,
        eosToken: this.#special.eos,
        tools,
      });
    const text = render(messages, false);
    this.#checkWeights(messages, where);
    const turns = this.#weightedTurns(row);
    if (this.#loss === 'all' && turns.length === 0) return [{ text, weight: 1 }];
    if (turns.length === 0) throw noTarget(where, noAssistant(row));
    const ends = [this.#special.eot, this.#special.eos];
    const spans = findAssistantTurns(text, messages, turns, render, ends);
    const between = this.#loss === 'all' ? 1 : 0;
    let at = 0;
    const pieces = spans.flatMap(({ start, end }, i) => {
      const before = { text: text.slice(at, start), weight: between };
      at = end;
      return [
        before,
        { text: text.slice(start, end), weight: weightOf(messages[turns[i]!]!) ?? 1 },
      ];
    });
    return [...pieces, { text: text.slice(at), weight: between }];
  }

  /** Messages whose weight differs from that of the text around them. */
  #weightedTurns({ messages, promptMessages }: ChatContent): number[] {
    const assistant = [...messages.keys()].filter((i) => messages[i]!.role === 'assistant');
    if (this.#loss === 'all') {
      return assistant.filter((i) => (weightOf(messages[i]!) ?? 1) !== 1);
    }
    const learned = assistant.filter((i) => i >= promptMessages);
    return this.#loss === 'completion' ? learned.slice(-1) : learned;
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
    const { eosToken, eotToken } = this.#vocabulary;
    const last = sample.tokens.at(-1);
    if (eosToken === null || last === eosToken || (last !== undefined && last === eotToken)) {
      return sample;
    }
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

/** The loss weight of a message; undefined if it has none. */
function weightOf({ weight, train }: TemplateMessage): number | undefined {
  return weight ?? (train === false ? 0 : train === true ? 1 : undefined);
}

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
