import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { GenerateOptions } from '../config/generate.js';
import type { RaftConfig } from '../config/raft.js';
import { untilAborted } from '../contract/run.js';
import { LlamatuneError } from '../errors.js';
import { perSecond } from '../generate/answer.js';
import { type GeneratedSequence, GenerateManyRun } from '../generate/generate-many.js';
import { failed, type Verifier } from '../verify/verifier.js';
import type { RaftTask } from './prompts.js';
import { byPromptAndSample, openSamples, type RaftSample, readSamples } from './samples.js';
import { sharedOptions } from './shared-options.js';

/** The answers to generate and verify in a stage. */
export interface SampleRequest {
  /** Name of the stage in the samples. */
  system: string;
  path: string;
  tasks: readonly RaftTask[];
  /** Answers per prompt. */
  samples: number;
  seed: number;
  adapter: string | null;
}

/** Called with every answer that is verified. */
export type OnSample = (sample: RaftSample, done: number) => void;

/**
 * Generates and verifies the answers of a stage that its file does not have yet. The seed of an answer depends on the
 * stage, its prompt and its number only, so a continued stage has the same answers.
 *
 * @returns all answers, and the speed of this call
 * @throws LlamatuneError that of the first prompt if none could be answered, VERIFIER_FAILED, VERIFIER_TASK_INVALID,
 * OUTPUT_NOT_WRITABLE, and those of generate()
 */
export async function sampleStage(
  request: SampleRequest,
  config: RaftConfig,
  verifier: Verifier,
  { signal, onSample }: { signal: AbortSignal; onSample: OnSample },
): Promise<{ samples: RaftSample[]; tokensPerSecond: number | null }> {
  discardUnanswered(request.path);
  using file = openSamples(request.path);
  if (file.rows.length === request.tasks.length * request.samples) {
    return { samples: file.finish(byPromptAndSample), tokensPerSecond: null };
  }
  const verification = new Verification(request, verifier, signal, (sample) => {
    file.add(sample);
    onSample(sample, file.rows.length);
  });
  const present = new Set(file.rows.map(({ index, sample }) => `${index} ${sample}`));
  const isWanted = (index: number, sample: number) => !present.has(`${index} ${sample}`);
  await using run = new GenerateManyRun(generateOptions(request, config, signal), isWanted);
  const most = config.verifyParallel ?? availableParallelism();
  try {
    for await (const event of run) {
      if (event.type === 'sequence') await verification.start(event, most);
    }
    await verification.end();
  } finally {
    verification.stop();
  }
  const { sequences, generatedTokens, generationMs } = await run.result;
  const { error } = sequences[0]!;
  if (error !== null && file.rows.every(isUnanswered)) {
    file[Symbol.dispose]();
    discardUnanswered(request.path);
    throw noneAnswered(request, error);
  }
  return {
    samples: file.finish(byPromptAndSample),
    tokensPerSecond: perSecond(generatedTokens, generationMs),
  };
}

const isUnanswered = ({ finishReason }: RaftSample): boolean => finishReason === 'error';

/** Removes samples without any answer, so that the prompts are asked again. */
function discardUnanswered(path: string): void {
  if (readSamples(path).every(isUnanswered)) rmSync(path, { force: true });
}

const noneAnswered = ({ system, tasks }: SampleRequest, cause: LlamatuneError): LlamatuneError =>
  new LlamatuneError(
    cause.code,
    `${system}: none of the ${tasks.length} prompts could be answered, the first one because: ${cause.message}`,
    { hint: cause.hint, cause },
  );

function generateOptions(
  { tasks, samples, seed, adapter }: SampleRequest,
  config: RaftConfig,
  signal: AbortSignal,
): GenerateOptions {
  return {
    ...config.generation,
    ...sharedOptions(config),
    prompts: tasks.map(({ prompt, tools }) =>
      typeof prompt === 'string' ? { prompt } : { messages: prompt, ...(tools ? { tools } : {}) },
    ),
    n: samples,
    seed,
    adapters: adapter === null ? [] : [adapter],
    signal,
  };
}

/** Verifies answers while others are generated. */
class Verification {
  readonly #request: SampleRequest;
  readonly #verifier: Verifier;
  readonly #signal: AbortSignal;
  readonly #onSample: (sample: RaftSample) => void;
  readonly #running = new Set<Promise<void>>();
  #failure: { error: unknown } | null = null;
  #stopped = false;

  constructor(
    request: SampleRequest,
    verifier: Verifier,
    signal: AbortSignal,
    onSample: (sample: RaftSample) => void,
  ) {
    this.#request = request;
    this.#verifier = verifier;
    this.#signal = signal;
    this.#onSample = onSample;
  }

  /** Starts to verify an answer as soon as fewer than `most` are being verified. */
  async start(answer: GeneratedSequence, most: number): Promise<void> {
    while (this.#running.size >= most) {
      await untilAborted(() => Promise.race(this.#running), this.#signal);
    }
    this.#throwFailure();
    const running = this.#verify(answer)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Waits for the last verdict. */
  async end(): Promise<void> {
    await untilAborted(() => Promise.all(this.#running), this.#signal);
    this.#throwFailure();
  }

  /** Drops the verdicts that come from now on: a continued run verifies these answers again. */
  stop(): void {
    this.#stopped = true;
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  async #verify(answer: GeneratedSequence): Promise<void> {
    const { promptIndex, sampleIndex, text, finishReason, error, promptTokens, generatedTokens } =
      answer;
    const task = this.#request.tasks[promptIndex]!;
    const verdict =
      error === null
        ? await this.#verifier.verify(text, task, this.#signal)
        : failed('extract', `the prompt could not be answered: ${error.message}`);
    if (this.#stopped) return;
    this.#onSample({
      index: promptIndex,
      sample: sampleIndex,
      system: this.#request.system,
      prompt: task.prompt,
      reference: task.expected ?? null,
      output: text,
      scores: { [this.#verifier.name]: verdict.score },
      finishReason: finishReason as RaftSample['finishReason'],
      promptTokens,
      generatedTokens,
      verdict,
    });
  }
}
