import { type GenerateConfig, type GenerateOptions, generateSchema } from '../config/generate.js';
import { placementOf } from '../config/load-model.js';
import { parseConfig } from '../config/parse.js';
import { encodeChatPrompt, encodePrompt } from '../data/prompt.js';
import { LlamatuneError } from '../errors.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { useModel } from '../model/use-model.js';
import type { NativeGenerateResult } from '../native/addon-types.js';
import { nativeRun } from '../native/load.js';
import { Run } from '../native/run.js';

/** One generated token. `text` is what it completes: '' while a character is still in pieces. */
export interface GenerateEvent {
  type: 'token';
  token: number;
  text: string;
}

export interface GenerateResult {
  /** Everything that was generated, without the stop text. */
  text: string;
  tokens: Int32Array;
  promptTokens: number;
  generatedTokens: number;
  /** 'eos': the model ended it; 'stop': a stop text; 'length': maxTokens. */
  finishReason: 'eos' | 'stop' | 'length';
  /** From the start of prompt processing to the first token; without loading the model. */
  timeToFirstTokenMs: number;
  promptMs: number;
  generationMs: number;
  promptTokensPerSecond: number | null;
  /** Of the tokens after the first. */
  tokensPerSecond: number | null;
}

export type GenerateRun = Run<GenerateEvent, GenerateResult>;

/**
 * Generates text on its own thread. Returns at once: iterate the run for the tokens as they come, await `.result` for
 * the whole.
 *
 * The run's errors: CONFIG_INVALID (all problems at once), what loading a model throws, NO_CHAT_TEMPLATE,
 * TEMPLATE_FAILED, CONTEXT_TOO_SMALL, ADAPTER_NOT_FOUND, ADAPTER_INVALID, ADAPTER_MISMATCH, GRAMMAR_INVALID,
 * DISPOSED, ABORTED.
 *
 * @example
 * const run = generate({ model: 'base.gguf', messages: [{ role: 'user', content: 'Hello' }] });
 * for await (const { text } of run) process.stdout.write(text);
 * const { tokensPerSecond } = await run.result;
 */
export function generate(options: GenerateOptions): GenerateRun {
  return new Run<GenerateEvent, GenerateResult>(
    ({ emit, signal }) => {
      const config = parseConfig(generateSchema, options, 'generate options');
      const load = { purpose: 'generate', ...placementOf(config), signal } as const;
      return useModel(config.model, load, async (model) => {
        const prompt = promptTokens(model, config);
        const result = await nativeRun(signal, (addon) =>
          addon.generate(model.native, nativeOptions(model, config, prompt), (events) => {
            for (const event of events) emit(event);
          }),
        );
        return describeResult(result);
      });
    },
    // Never more events than tokens, so none has to be dropped.
    { signal: options?.signal, bufferLimit: Number.POSITIVE_INFINITY },
  );
}

/** The same tokens that training would put before the answer. */
function promptTokens(model: LoadedModel, config: GenerateConfig): Int32Array {
  return config.prompt === undefined
    ? encodeChatPrompt(model.textModel, config.messages!, config)
    : encodePrompt(model.textModel, config.prompt);
}

/** The context that prompt and answer need, where none was asked for; never more than the model was made for. */
function contextLength(model: LoadedModel, config: GenerateConfig, promptLength: number): number {
  const context =
    config.contextLength ?? Math.min(promptLength + config.maxTokens, model.info.contextLength);
  if (promptLength < context) return context;
  throw new LlamatuneError(
    'CONTEXT_TOO_SMALL',
    `expected a prompt shorter than the context of ${context} tokens but received ${promptLength} tokens`,
    {
      hint:
        config.contextLength === undefined
          ? 'shorten the prompt; the model was made for no longer one'
          : 'shorten the prompt or raise contextLength',
    },
  );
}

function nativeOptions(model: LoadedModel, config: GenerateConfig, prompt: Int32Array) {
  const context = contextLength(model, config, prompt.length);
  return {
    prompt,
    maxTokens: Math.min(config.maxTokens, context - prompt.length),
    contextLength: context,
    batchSize: Math.min(512, context),
    threads: config.threads,
    adapters: config.adapters,
    temperature: config.temperature,
    topK: config.topK,
    topP: config.topP,
    minP: config.minP,
    repeatPenalty: config.repeatPenalty,
    repeatLastN: config.repeatLastN,
    seed: config.seed,
    stop: config.stop,
    grammar: config.grammar ?? '',
    ignoreEos: config.ignoreEos,
  };
}

function describeResult(result: NativeGenerateResult): GenerateResult {
  const perSecond = (tokens: number, ms: number) =>
    tokens > 0 && ms > 0 ? (tokens * 1000) / ms : null;
  return {
    ...result,
    promptTokensPerSecond: perSecond(result.promptTokens, result.promptMs),
    tokensPerSecond: perSecond(result.generatedTokens - 1, result.generationMs),
  };
}
