import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EncodedSample } from './encode-pieces.js';
import { BufferedFile, bytesOf, TokenFileWriter } from './token-file.js';

type Pace = () => Promise<void> | undefined;

/**
 * Samples on their way into token files. Their tokens and masks go to two temporary files at once,
 * as a token file's header needs all counts; only the lengths are kept in memory.
 */
export class SampleParts {
  readonly lengths: number[] = [];
  /** Tokens of each sample that carry a loss. */
  readonly targets: number[] = [];
  readonly #files: readonly { path: string; file: BufferedFile; bytesPerToken: number }[];

  private constructor(files: { path: string; file: BufferedFile; bytesPerToken: number }[]) {
    this.#files = files;
  }

  /** @param name starts the temporary files' names in `directory`. */
  static async create(directory: string, name: string): Promise<SampleParts> {
    const files = [];
    for (const [suffix, bytesPerToken] of [
      ['tokens', 4],
      ['mask', 1],
    ] as const) {
      const path = join(directory, `${name}.${suffix}.part`);
      files.push({ path, file: await BufferedFile.create(path), bytesPerToken });
    }
    return new SampleParts(files);
  }

  async append({ tokens, mask }: EncodedSample): Promise<void> {
    this.lengths.push(tokens.length);
    this.targets.push(mask.reduce((sum, target) => sum + target, 0));
    await this.#files[0]!.file.append(bytesOf(tokens));
    await this.#files[1]!.file.append(mask);
  }

  /** Writes the token files: sample i goes to `paths[side(i)]`. */
  async writeFiles(
    paths: readonly string[],
    side: (sample: number) => number,
    pace: Pace,
  ): Promise<void> {
    const writers: TokenFileWriter[] = [];
    try {
      for (const [index, path] of paths.entries()) {
        const lengths = this.lengths.filter((_, sample) => side(sample) === index);
        writers.push(await TokenFileWriter.create(path, lengths));
      }
      for (const { file, bytesPerToken } of this.#files) {
        await this.#distribute(file, bytesPerToken, (sample) => writers[side(sample)]!, pace);
        if (bytesPerToken === 4) for (const writer of writers) await writer.endTokens();
      }
      for (const writer of writers) await writer.commit();
    } catch (error) {
      for (const writer of writers) await writer.discard();
      throw error;
    }
  }

  /** Reads one temporary file from start to end and hands each sample's bytes to its writer. */
  async #distribute(
    file: BufferedFile,
    bytesPerToken: number,
    writerOf: (sample: number) => TokenFileWriter,
    pace: Pace,
  ): Promise<void> {
    let sample = 0;
    let left = this.lengths[0]! * bytesPerToken;
    for await (const chunk of file.chunks()) {
      for (let at = 0; at < chunk.length; ) {
        const piece = chunk.subarray(at, at + left);
        await writerOf(sample).append(piece);
        at += piece.length;
        left -= piece.length;
        if (left === 0) {
          sample += 1;
          left = (this.lengths[sample] ?? 0) * bytesPerToken;
        }
        await pace();
      }
    }
  }

  /** Removes the temporary files. */
  async dispose(): Promise<void> {
    for (const { path, file } of this.#files) {
      await file.close().catch(() => {});
      await rm(path, { force: true });
    }
  }
}
