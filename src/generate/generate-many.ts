import { type GenerateConfig, type GenerateOptions, generateSchema } from '../config/generate.js';
import { parseConfig } from '../config/parse.js';
import type {
  Answer,
  GenerationTotals,
  NativeGeneration,
  SequenceIndex,
  SequenceOutcome,
  TokenEvent,
} from '../contract/generation.js';
import { nativeRun } from '../contract/load.js';
import { Run } from '../contract/run.js';
import { withChatTemplate } from '../data/read-chat-template.js';
import { LlamatuneError } from '../errors.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { useModel } from '../model/use-model.js';
import { type AnswerRates, perSecond, ratesOf } from './answer.js';
import { engineOptions, errorOf } from './engine.js';
import { encodeGiven, type GivenPrompt, readPrompts } from './read-prompts.js';
import { sequenceSeed } from './seed.js';

/** An answer of `generate()` with `prompts` or `n`. */
export interface GeneratedSequence
  extends Answer,
    AnswerRates,
    Pick<SequenceOutcome, 'seed' | 'sharedPromptTokens' | 'finishReason' | 'experts'>,
    SequenceIndex {
  /** Why this sequence failed while the others continued, with finishReason 'error'; otherwise null. */
  error: LlamatuneError | null;
}

/** An answer that is complete. */
export interface SequenceEvent extends GeneratedSequence {
  type: 'sequence';
}

export type GenerateManyEvent = TokenEvent | SequenceEvent;

/** The result of `generate()` with `prompts` or `n`. Rates in tokens per second, null if too short to measure. */
export interface GenerateManyResult extends GenerationTotals {
  /** All answers: by prompt, then by sample. */
  sequences: GeneratedSequence[];
  /** How many of them failed. */
  failed: number;
  /** Rate of the prompt tokens that were computed. */
  promptTokensPerSecond: number | null;
  /** Rate of all generated tokens together, without the time of the prompts. */
  tokensPerSecond: number | null;
  /** From the start of the call to the end of the last answer, without loading the model. */
  totalMs: number;
}

/** Most events that wait for a reader before no further prompts are started. */
const MOST_UNREAD = 4096;

/**
 * A running generation of many answers: an async iterable of tokens and of complete answers, with the result as a
 * promise. While somebody iterates, no event is lost, and new prompts wait for a slow reader.
 */
export class GenerateManyRun extends Run<GenerateManyEvent, GenerateManyResult> {
  readonly #cancelled: SequenceIndex[];
  readonly #engine: { run?: NativeGeneration };

  /** @param isWanted @internal which sequences to generate, if not all. They are the same as among all; cancel() is not for this. */
  constructor(
    options: GenerateOptions,
    isWanted: (promptIndex: number, sampleIndex: number) => boolean = () => true,
  ) {
    const cancelled: SequenceIndex[] = [];
    const engine: { run?: NativeGeneration } = {};
    super(
      (controls) => {
        const config = withChatTemplate(parseConfig(generateSchema, options, 'generate options'));
        const load = { ...config, purpose: 'generate', signal: controls.signal } as const;
        return useModel(config.model, load, (model) =>
          new Generation(model, config, controls, { cancelled, engine, isWanted }).run(),
        );
      },
      { signal: options.signal, bufferLimit: MOST_UNREAD, waitsForReaders: true },
    );
    this.#cancelled = cancelled;
    this.#engine = engine;
  }

  /**
   * Ends one sample of a prompt, or all of them, also before they have started: finishReason is 'cancelled', and their
   * places are free for others. Does nothing for a sequence that has ended.
   */
  cancel(promptIndex: number, sampleIndex = -1): void {
    this.#cancelled.push({ promptIndex, sampleIndex });
    this.#engine.run?.cancel(promptIndex, sampleIndex);
  }
}

interface Controls {
  emit: (event: GenerateManyEvent) => void;
  signal: AbortSignal;
  eventsBelow: (count: number) => Promise<void>;
}

/** What the run and its work share: cancellations, and the running engine. */
interface Shared {
  isWanted: (promptIndex: number, sampleIndex: number) => boolean;
  cancelled: readonly SequenceIndex[];
  engine: { run?: NativeGeneration };
}

class Generation {
  readonly #model: LoadedModel;
  readonly #config: GenerateConfig;
  readonly #controls: Controls;
  readonly #shared: Shared;
  readonly #samples: number;
  readonly #sequences: GeneratedSequence[] = [];
  /** The samples of each prompt that the engine has, in its order. */
  readonly #wanted = new Map<number, number[]>();
  /** Sequences that the engine has and that have not ended. */
  #pending = 0;
  #ended = false;
  #wakeFeeder: () => void = () => {};

  constructor(model: LoadedModel, config: GenerateConfig, controls: Controls, shared: Shared) {
    this.#model = model;
    this.#config = config;
    this.#controls = controls;
    this.#shared = shared;
    this.#samples = config.n ?? 1;
  }

  async run(): Promise<GenerateManyResult> {
    const { signal } = this.#controls;
    const options = await engineOptions(this.#model, this.#config, this.#count());
    const started = performance.now();
    let feeding: Promise<void> | undefined;
    try {
      const totals = await nativeRun(signal, (addon) => {
        const run = addon.generate(this.#model.native, options, (events) => {
          for (const event of events) this.#receive(event);
        });
        this.#shared.engine.run = run;
        feeding = this.#feed(run, 2 * options.parallel);
        // A failed iterable ends the run; its error is thrown below.
        feeding.catch(() => run.abort());
        return run;
      });
      await feeding;
      return this.#result(totals, performance.now() - started);
    } catch (error) {
      this.#stopFeeding();
      if (!signal.aborted) await feeding; // throws the error of the iterable, if it is the reason
      throw error;
    } finally {
      delete this.#shared.engine.run;
    }
  }

  /** Number of sequences, as far as it is known. */
  #count(): number {
    const { prompts } = this.#config;
    if (prompts === undefined) return this.#samples;
    return Array.isArray(prompts) ? prompts.length * this.#samples : Number.POSITIVE_INFINITY;
  }

  #prompts(): AsyncGenerator<GivenPrompt, void, undefined> {
    const { prompt, messages, prompts } = this.#config;
    if (prompts !== undefined) return readPrompts(prompts);
    return readPrompts([prompt ?? messages!]);
  }

  /** Gives prompts to the engine as there is room, so that few of them wait. */
  async #feed(run: NativeGeneration, mostPending: number): Promise<void> {
    const prompts = this.#prompts();
    try {
      for (let index = 0; ; index++) {
        const next = await Promise.race([prompts.next(), this.#stopped()]);
        if (next === undefined || next.done) break;
        this.#add(run, index, next.value);
        await this.#room(mostPending);
        if (this.#ended) break;
      }
      run.close();
    } finally {
      // Not awaited: an iterable that waits for something would never return.
      prompts.return().catch(() => {});
    }
  }

  #add(run: NativeGeneration, index: number, given: GivenPrompt): void {
    const all = Array.from({ length: this.#samples }, (_, sample) => sample);
    const wanted = all.filter((sample) => this.#shared.isWanted(index, sample));
    if (wanted.length === 0) return;
    const seeds = wanted.map((sample) => sequenceSeed(this.#config.seed, index, sample));
    let tokens: Int32Array;
    try {
      tokens = encodeGiven(this.#model.textModel, given, this.#config);
    } catch (error) {
      if (!(error instanceof LlamatuneError)) throw error;
      seeds.forEach((seed, i) => {
        this.#end(unstarted({ promptIndex: index, sampleIndex: wanted[i]! }, seed, error));
      });
      return;
    }
    this.#pending += seeds.length;
    this.#wanted.set(index, wanted);
    run.add({ index, tokens, seeds });
    for (const { promptIndex, sampleIndex } of this.#shared.cancelled)
      if (promptIndex === index) run.cancel(index, sampleIndex);
  }

  /** Waits until few sequences are pending and a reader, if there is one, has caught up. */
  async #room(mostPending: number): Promise<void> {
    while (this.#pending >= mostPending && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wakeFeeder = resolve;
      });
    }
    await Promise.race([this.#controls.eventsBelow(MOST_UNREAD), this.#stopped()]);
  }

  #stopListeners: (() => void)[] = [];

  /** Resolves with undefined when the run has ended. */
  #stopped(): Promise<undefined> {
    if (this.#ended) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#stopListeners = [() => resolve(undefined)];
    });
  }

  #stopFeeding(): void {
    this.#ended = true;
    this.#wakeFeeder();
    for (const stop of this.#stopListeners) stop();
  }

  #receive(received: TokenEvent | SequenceOutcome): void {
    const sampleIndex = this.#wanted.get(received.promptIndex)![received.sampleIndex]!;
    const event = { ...received, sampleIndex };
    if (event.type === 'token') {
      this.#controls.emit(event);
      return;
    }
    this.#pending--;
    this.#wakeFeeder();
    const { type: _, ...sequence } = event;
    this.#end({ ...sequence, ...ratesOf(event), error: errorOf(event) });
  }

  #end(sequence: GeneratedSequence): void {
    this.#sequences.push(sequence);
    this.#controls.emit({ type: 'sequence', ...sequence });
  }

  #result(totals: GenerationTotals, totalMs: number): GenerateManyResult {
    this.#sequences.sort((a, b) => a.promptIndex - b.promptIndex || a.sampleIndex - b.sampleIndex);
    const computed = totals.promptTokens - totals.sharedPromptTokens;
    return {
      sequences: this.#sequences,
      failed: this.#sequences.filter(({ error }) => error !== null).length,
      ...totals,
      promptTokensPerSecond: perSecond(computed, totals.promptMs),
      tokensPerSecond: perSecond(totals.generatedTokens, totals.generationMs),
      totalMs,
    };
  }
}

/** A sequence whose prompt could not be made. */
function unstarted(index: SequenceIndex, seed: number, error: LlamatuneError): GeneratedSequence {
  return {
    ...index,
    seed,
    text: '',
    tokens: new Int32Array(),
    promptTokens: 0,
    sharedPromptTokens: 0,
    generatedTokens: 0,
    finishReason: 'error',
    error,
    timeToFirstTokenMs: null,
    promptMs: 0,
    generationMs: 0,
    experts: null,
    promptTokensPerSecond: null,
    tokensPerSecond: null,
  };
}
