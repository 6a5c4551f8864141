import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EncodedSample } from './encode-pieces.js';
import { BufferedFile, bytesOf, TokenFileWriter } from './token-file.js';

type Pace = () => Promise<void> | undefined;

/** Bytes per token id and per weight in the temporary files. */
const BYTES_PER_TOKEN = 4;

/**
 * Collects encoded samples and then writes the token files. Tokens and weights first go to two temporary files, because
 * the header of a token file needs all counts; only the lengths are kept in memory.
 */
export class SampleParts {
  readonly lengths: number[] = [];
  /** Tokens of each sample that carry a loss. */
  readonly targets: number[] = [];
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

  async append({ tokens, weights }: EncodedSample): Promise<void> {
    this.lengths.push(tokens.length);
    this.targets.push(weights.reduce((count, weight) => count + (weight > 0 ? 1 : 0), 0));
    this.#onlyMask &&= weights.every((weight) => weight === 0 || weight === 1);
    await this.#tokens.append(bytesOf(tokens));
    await this.#weights.append(bytesOf(weights));
  }

  /** Writes the token files: sample i goes to `paths[side(i)]`, `copies(i)` times. */
  async writeFiles(
    paths: readonly string[],
    side: (sample: number) => number,
    copies: (sample: number) => number,
    pace: Pace,
  ): Promise<void> {
    const writers: TokenFileWriter[] = [];
    try {
      for (const [index, path] of paths.entries()) {
        const lengths = this.lengths.flatMap((length, sample) =>
          side(sample) === index ? Array<number>(copies(sample)).fill(length) : [],
        );
        writers.push(await TokenFileWriter.create(path, lengths, this.#onlyMask ? 1 : 4));
      }
      const append = async (sample: number, bytes: Uint8Array) => {
        for (let copy = 0; copy < copies(sample); copy++) {
          await writers[side(sample)]!.append(bytes);
        }
      };
      await this.#distribute(this.#tokens, append, pace);
      for (const writer of writers) await writer.endTokens();
      const pack = this.#onlyMask ? asMask : (bytes: Uint8Array) => bytes;
      await this.#distribute(this.#weights, (sample, bytes) => append(sample, pack(bytes)), pace);
      for (const writer of writers) await writer.commit();
    } catch (error) {
      for (const writer of writers) await writer.discard();
      throw error;
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
    let left = this.lengths[0]! * BYTES_PER_TOKEN;
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
          left = (this.lengths[sample] ?? 0) * BYTES_PER_TOKEN;
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

/** Converts weights of 0 and 1 from 32-bit floats to bytes. */
function asMask(bytes: Uint8Array): Uint8Array {
  const { buffer, byteOffset, length } = bytes;
  return Uint8Array.from(new Float32Array(buffer, byteOffset, length / BYTES_PER_TOKEN));
}
