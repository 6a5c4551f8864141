import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EncodedSample } from './encode-pieces.js';
import { GrowingList } from './growing-list.js';
import { BufferedFile, bytesOf, TokenFileWriter } from './token-file.js';

type Pace = () => Promise<void> | undefined;

/** Bytes per token id and per weight in the temporary files. */
const BYTES_PER_TOKEN = 4;

/** A token file and its statistics. */
export interface PreparedFile {
  file: string;
  samples: number;
  tokens: number;
  /** Tokens that carry a loss. */
  targetTokens: number;
  /** Tokens of the longest sample. */
  longest: number;
}

/** Where the samples go. */
export interface Distribution {
  paths: readonly string[];
  /** The index of the path of a sample. */
  side: (sample: number) => number;
  /** How often the file has a sample. */
  copies: (sample: number) => number;
}

/**
 * Collects encoded samples and then writes the token files. Tokens and weights first go to two temporary files, because
 * the header of a token file needs all counts; only the lengths are kept in memory, four bytes for each sample.
 */
export class SampleParts {
  readonly #lengths = new GrowingList();
  readonly #tokens: BufferedFile;
  readonly #weights: BufferedFile;
  /** Whether every weight so far is 0 or 1. */
  #onlyMask = true;

  private constructor(tokens: BufferedFile, weights: BufferedFile) {
    this.#tokens = tokens;
    this.#weights = weights;
  }

  /** @param name prefix of the temporary files in `directory`. */
  static async create(directory: string, name: string): Promise<SampleParts> {
    const create = (suffix: string) =>
      BufferedFile.create(join(directory, `${name}.${suffix}.part`));
    const tokens = await create('tokens');
    return new SampleParts(tokens, await create('weights'));
  }

  /** Number of samples. */
  get samples(): number {
    return this.#lengths.length;
  }

  async append({ tokens, weights }: EncodedSample): Promise<void> {
    this.#lengths.push(tokens.length);
    this.#onlyMask &&= weights.every((weight) => weight === 0 || weight === 1);
    await this.#tokens.append(bytesOf(tokens));
    await this.#weights.append(bytesOf(weights));
  }

  /** Writes the token files. */
  async writeFiles(to: Distribution, pace: Pace): Promise<PreparedFile[]> {
    const { side, copies } = to;
    const files = to.paths.map((path, index) => this.#describe(path, index, to));
    const writers: TokenFileWriter[] = [];
    try {
      for (const [index, { file }] of files.entries()) {
        const lengths = { [Symbol.iterator]: () => this.#lengthsOf(index, to) };
        writers.push(await TokenFileWriter.create(file, lengths, this.#onlyMask ? 1 : 4));
      }
      const append = async (sample: number, bytes: Uint8Array) => {
        for (let copy = 0; copy < copies(sample); copy++) {
          await writers[side(sample)]!.append(bytes);
        }
      };
      await this.#distribute(this.#tokens, append, pace);
      for (const writer of writers) await writer.endTokens();
      const appendWeights = (sample: number, bytes: Uint8Array) => {
        const weights = floatsOf(bytes);
        files[side(sample)]!.targetTokens += copies(sample) * targetsIn(weights);
        return append(sample, this.#onlyMask ? Uint8Array.from(weights) : bytes);
      };
      await this.#distribute(this.#weights, appendWeights, pace);
      for (const writer of writers) await writer.commit();
      return files;
    } catch (error) {
      for (const writer of writers) await writer.discard();
      throw error;
    }
  }

  /** The statistics of a file; the targets are counted when it is written. */
  #describe(file: string, index: number, to: Distribution): PreparedFile {
    const stats: PreparedFile = { file, samples: 0, tokens: 0, targetTokens: 0, longest: 0 };
    for (const length of this.#lengthsOf(index, to)) {
      stats.samples += 1;
      stats.tokens += length;
      stats.longest = Math.max(stats.longest, length);
    }
    return stats;
  }

  /** The lengths of the samples of a file, in order. */
  *#lengthsOf(index: number, { side, copies }: Distribution): Generator<number, void, undefined> {
    for (let sample = 0; sample < this.samples; sample++) {
      if (side(sample) !== index) continue;
      for (let copy = 0; copy < copies(sample); copy++) yield this.#lengths.at(sample);
    }
  }

  /** Reads a temporary file from start to end and passes the bytes of each sample to `append`. */
  async #distribute(
    file: BufferedFile,
    append: (sample: number, bytes: Uint8Array) => Promise<void>,
    pace: Pace,
  ): Promise<void> {
    let sample = 0;
    let pieces: Uint8Array[] = [];
    let left = this.#lengths.at(0) * BYTES_PER_TOKEN;
    for await (const chunk of file.chunks()) {
      for (let at = 0; at < chunk.length; ) {
        const piece = chunk.subarray(at, at + left);
        pieces.push(piece);
        at += piece.length;
        left -= piece.length;
        if (left === 0) {
          await append(sample, pieces.length === 1 ? piece : Buffer.concat(pieces));
          pieces = [];
          sample += 1;
          left = sample < this.samples ? this.#lengths.at(sample) * BYTES_PER_TOKEN : 0;
        } else {
          // the buffer of the chunk is used again for the next one
          pieces = [Buffer.concat(pieces)];
        }
        await pace();
      }
    }
  }

  /** Removes the temporary files. */
  async dispose(): Promise<void> {
    for (const file of [this.#tokens, this.#weights]) {
      await file.close().catch(() => {});
      await rm(file.path, { force: true });
    }
  }
}

const floatsOf = ({ buffer, byteOffset, length }: Uint8Array): Float32Array =>
  new Float32Array(buffer, byteOffset, length / BYTES_PER_TOKEN);

function targetsIn(weights: Float32Array): number {
  let count = 0;
  for (const weight of weights) if (weight > 0) count += 1;
  return count;
}
