import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { ChatMessage } from '../config/chat-message.js';
import { LlamatuneError, reasonOf } from '../errors.js';
import { replaceFile } from '../files/atomic-file.js';
import { jsonLines } from '../files/results-files.js';
import type { Verdict } from '../verify/verifier.js';

/** An answer with its verdict: a line of a file of samples. */
export interface RaftSample {
  /** Position of the prompt, from 0. */
  index: number;
  /** Answer to the prompt, from 0. */
  sample: number;
  /** 'baseline', 'cycle 1', 'evaluation 1' or 'final'. */
  system: string;
  prompt: string | readonly ChatMessage[];
  /** The expected answer; null if there is none. */
  reference: string | null;
  output: string;
  /** Scores by name of the verifier. */
  scores: Record<string, number>;
  finishReason: 'eos' | 'stop' | 'length' | 'error';
  promptTokens: number;
  generatedTokens: number;
  verdict: Verdict;
}

/**
 * A file of samples that grows as answers are verified. It survives a kill at any time: a last line that is incomplete is
 * dropped when the file is opened again.
 */
export class SamplesFile implements Disposable {
  #file: number | null;
  readonly #path: string;
  readonly samples: RaftSample[];

  /** Opens the file, with the samples that an earlier call has written. */
  constructor(path: string) {
    this.#path = path;
    const text = readText(path);
    this.samples = samplesOf(text, path);
    const complete = jsonLines(this.samples);
    if (complete !== text) replaceFile(path, complete, 'samples');
    this.#file = this.#try(() => openSync(path, 'a'));
  }

  add(sample: RaftSample): void {
    this.#try(() => writeSync(this.#file!, jsonLines([sample])));
    this.samples.push(sample);
  }

  /** Closes the file, sorted by prompt and sample, so that it does not depend on when each answer was ready. */
  finish(): RaftSample[] {
    this[Symbol.dispose]();
    this.samples.sort((a, b) => a.index - b.index || a.sample - b.sample);
    replaceFile(this.#path, jsonLines(this.samples), 'samples');
    return this.samples;
  }

  [Symbol.dispose](): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  #try<T>(write: () => T): T {
    try {
      return write();
    } catch (cause) {
      throw new LlamatuneError(
        'OUTPUT_NOT_WRITABLE',
        `cannot write the samples '${this.#path}': ${reasonOf(cause)}`,
        { hint: 'check permissions and free space, then continue with resume (--resume)', cause },
      );
    }
  }
}

/** Reads a file of samples; none if there is no file. */
export const readSamples = (path: string): RaftSample[] => samplesOf(readText(path), path);

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw unreadable(path, reasonOf(error), error);
  }
}

function samplesOf(text: string, path: string): RaftSample[] {
  // what follows the last line break is empty, or a line that a killed process did not complete
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line, i) => {
    try {
      return JSON.parse(line) as RaftSample;
    } catch (cause) {
      throw unreadable(path, `line ${i + 1}: ${reasonOf(cause)}`, cause);
    }
  });
}

const unreadable = (path: string, reason: string, cause: unknown): LlamatuneError =>
  new LlamatuneError('RESULTS_INVALID', `cannot read the samples in '${path}': ${reason}`, {
    hint: 'choose another folder, or remove this one and start again',
    cause,
  });
