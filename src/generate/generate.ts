import { type GenerateConfig, type GenerateOptions, generateSchema } from '../config/generate.js';
import { parseConfig } from '../config/parse.js';
import type { TokenEvent as GenerateEvent, GenerateOutcome } from '../contract/generation.js';
import { nativeRun } from '../contract/load.js';
import { Run } from '../contract/run.js';
import { encodeChatPrompt, encodePrompt } from '../data/prompt.js';
import { LlamatuneError } from '../errors.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { useModel } from '../model/use-model.js';

export type { GenerateEvent };

/** The result of generate(); rates in tokens per second, null if too short to measure. */
export interface GenerateResult extends GenerateOutcome {
  promptTokensPerSecond: number | null;
  /** Rate of the tokens after the first one. */
  tokensPerSecond: number | null;
}

/** A running generation: an async iterable of tokens, with the result as a promise. */
export type GenerateRun = Run<GenerateEvent, GenerateResult>;

/**
 * Generates text on a separate thread. Returns immediately: iterate the run to stream the tokens, or await `.result`
 * for the whole text. Options and their defaults: docs/configuration.md.
 *
 * The run's errors: CONFIG_INVALID (all problems at once), the errors of loadModel(), NO_CHAT_TEMPLATE,
 * TEMPLATE_FAILED, PROMPT_TOO_LONG, ADAPTER_NOT_FOUND, ADAPTER_INVALID, ADAPTER_MISMATCH, GRAMMAR_INVALID,
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
      const load = { ...config, purpose: 'generate', signal } as const;
      return useModel(config.model, load, async (model) => {
        const prompt = promptTokens(model, config);
        const result = await nativeRun(signal, (addon) =>
          addon.generate(
            model.native,
            { ...config, ...prepared(model, config, prompt) },
            (events) => {
              for (const event of events) emit(event);
            },
          ),
        );
        return describeResult(result);
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

/** The context length: the option, or what prompt and answer need within the context length of the model. */
function contextLength(model: LoadedModel, config: GenerateConfig, promptLength: number): number {
  const context =
    config.contextLength ?? Math.min(promptLength + config.maxTokens, model.info.contextLength);
  if (promptLength < context) return context;
  throw new LlamatuneError(
    'PROMPT_TOO_LONG',
    `the prompt has ${promptLength} tokens and does not fit into the context of ${context} tokens`,
    {
      hint:
        config.contextLength === undefined
          ? 'shorten the prompt: this is the context length of the model'
          : 'shorten the prompt or raise contextLength',
    },
  );
}

function prepared(model: LoadedModel, config: GenerateConfig, prompt: Int32Array) {
  const context = contextLength(model, config, prompt.length);
  return {
    prompt,
    maxTokens: Math.min(config.maxTokens, context - prompt.length),
    contextLength: context,
    batchSize: Math.min(512, context),
  };
}

function describeResult(result: GenerateOutcome): GenerateResult {
  const perSecond = (tokens: number, ms: number) =>
    tokens > 0 && ms > 0 ? (tokens * 1000) / ms : null;
  return {
    ...result,
    promptTokensPerSecond: perSecond(result.promptTokens, result.promptMs),
    tokensPerSecond: perSecond(result.generatedTokens - 1, result.generationMs),
  };
}
