import {
  type GenerateConfig,
  type GenerateManyOptions,
  type GenerateOptions,
  generateSchema,
} from '../config/generate.js';
import { parseConfig } from '../config/parse.js';
import type {
  Answer,
  GenerationTotals,
  SequenceOutcome,
  TokenEvent,
} from '../contract/generation.js';
import { nativeRun } from '../contract/load.js';
import { Run } from '../contract/run.js';
import { encodeChatPrompt, encodePrompt } from '../data/prompt.js';
import { withChatTemplate } from '../data/read-chat-template.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { useModel } from '../model/use-model.js';
import { type AnswerRates, ratesOf } from './answer.js';
import { engineOptions, errorOf } from './engine.js';
import { GenerateManyRun } from './generate-many.js';

/** A generated token of `generate()` with one prompt. */
export type GenerateEvent = Pick<TokenEvent, 'type' | 'token' | 'text'>;

/** The result of `generate()` with one prompt; rates in tokens per second, null if too short to measure. */
export interface GenerateResult
  extends Answer,
    AnswerRates,
    Pick<GenerationTotals, 'flashAttention' | 'experts'> {
  /** 'eos': the model ended the text; 'stop': a stop sequence was generated; 'length': maxTokens was reached. */
  finishReason: 'eos' | 'stop' | 'length';
  /** From the start of the call to the first token, including loading adapters but not the model. */
  timeToFirstTokenMs: number;
}

/** A running generation: an async iterable of tokens, with the result as a promise. */
export type GenerateRun = Run<GenerateEvent, GenerateResult>;

/**
 * Generates text on a separate thread. Returns immediately: iterate the run to stream the tokens, or await `.result`
 * for the whole text. Options and their defaults: docs/configuration.md.
 *
 * With `prompts` or `n` it generates many answers, which are decoded together: the run is a GenerateManyRun, whose events
 * and results name the prompt and the sample.
 *
 * The run's errors: CONFIG_INVALID (all problems at once), the errors of loadModel(), NO_CHAT_TEMPLATE,
 * TEMPLATE_FAILED, CHAT_TEMPLATE_NOT_FOUND, CHAT_TEMPLATE_UNREADABLE, PROMPT_TOO_LONG, ADAPTER_NOT_FOUND,
 * ADAPTER_INVALID, ADAPTER_MISMATCH, GRAMMAR_INVALID, FLASH_ATTENTION_UNSUPPORTED, DISPOSED, ABORTED. With `prompts` or `n`, a prompt's own error is in
 * its result instead.
 *
 * @example
 * const run = generate({ model: 'base.gguf', messages: [{ role: 'user', content: 'Hello' }] });
 * for await (const { text } of run) process.stdout.write(text);
 * const { tokensPerSecond } = await run.result;
 */
export function generate(options: GenerateManyOptions): GenerateManyRun;
export function generate(options: GenerateOptions): GenerateRun;
export function generate(options: GenerateOptions): GenerateRun | GenerateManyRun {
  const many = options?.prompts !== undefined || options?.n !== undefined;
  return many ? new GenerateManyRun(options) : generateOne(options);
}

function generateOne(options: GenerateOptions): GenerateRun {
  return new Run<GenerateEvent, GenerateResult>(
    ({ emit, signal }) => {
      const config = withChatTemplate(parseConfig(generateSchema, options, 'generate options'));
      const load = { ...config, purpose: 'generate', signal } as const;
      return useModel(config.model, load, async (model) => {
        const tokens = promptTokens(model, config);
        const prepared = await engineOptions(model, config, 1);
        let outcome: SequenceOutcome | undefined;
        const totals = await nativeRun(signal, (addon) => {
          const run = addon.generate(model.native, prepared, (events) => {
            for (const event of events) {
              if (event.type === 'sequence') outcome = event;
              else emit({ type: 'token', token: event.token, text: event.text });
            }
          });
          run.add({ index: 0, tokens, seeds: [config.seed] });
          run.close();
          return run;
        });
        return resultOf(outcome!, totals);
      });
    },
    // There are at most maxTokens events, so the buffer needs no limit.
    { signal: options?.signal, bufferLimit: Number.POSITIVE_INFINITY },
  );
}

/** The prompt tokens, identical to those that training puts before the answer. */
function promptTokens(model: LoadedModel, config: GenerateConfig): Int32Array {
  return config.prompt === undefined
    ? encodeChatPrompt(model.textModel, config.messages!, config)
    : encodePrompt(model.textModel, config.prompt);
}

function resultOf(
  outcome: SequenceOutcome,
  { flashAttention, experts }: GenerationTotals,
): GenerateResult {
  const error = errorOf(outcome);
  if (error) throw error;
  const { text, tokens, promptTokens, generatedTokens, timeToFirstTokenMs } = outcome;
  const { promptMs, generationMs } = outcome;
  return {
    text,
    tokens,
    promptTokens,
    generatedTokens,
    finishReason: outcome.finishReason as GenerateResult['finishReason'],
    timeToFirstTokenMs: timeToFirstTokenMs!, // maxTokens is at least 1
    promptMs,
    generationMs,
    ...ratesOf(outcome),
    flashAttention,
    experts,
  };
}
