import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { temporaryNotWritable } from '../files/temporary-folder.js';

/*
 * The prepared dataset that native code maps into memory. A local cache in the machine's own byte
 * order; native/data/token-file.h has the layout:
 *   "LTTOKEN2", u32 byte-order mark, u32 bytes per weight, u64 n_samples, u64 n_tokens,
 *   u64 offsets [n_samples + 1], i32 tokens [n_tokens] padded to 8 bytes, u8 or f32 weights [n_tokens].
 */
const MAGIC = 'LTTOKEN2';
const BYTE_ORDER_MARK = 0x01020304;
const HEADER_BYTES = 32;
const BUFFER_BYTES = 1024 * 1024;

/** Appends to a file in large pieces. */
export class BufferedFile {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #used = 0;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  /** @throws LlamatuneError TEMPORARY_FOLDER_NOT_WRITABLE */
  static async create(path: string): Promise<BufferedFile> {
    return new BufferedFile(path, await writing(path, () => open(path, 'w+')));
  }

  /** Copies `bytes`; waits for the disk only when the buffer is full. */
  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + BUFFER_BYTES - this.#used);
      this.#buffer.set(part, this.#used);
      this.#used += part.length;
      at += part.length;
      if (this.#used === BUFFER_BYTES) await this.flush();
    }
  }

  async flush(): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#used);
    await writing('the prepared dataset', () => writeAll(this.#file, bytes));
    this.#used = 0;
  }

  /** Reads everything that was appended, from the start. A chunk is valid until the next one is read. */
  async *chunks(): AsyncGenerator<Buffer, void, undefined> {
    await this.flush();
    for (let at = 0; ; ) {
      const { bytesRead } = await this.#file.read(this.#buffer, 0, BUFFER_BYTES, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield this.#buffer.subarray(0, bytesRead);
    }
  }

  async sync(): Promise<void> {
    await this.flush();
    await writing('the prepared dataset', () => this.#file.sync());
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await file.write(bytes, at, bytes.length - at)).bytesWritten;
  }
}

async function writing<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw temporaryNotWritable(what, cause);
  }
}

/** Writes one token file: header and offsets first, then tokens, then weights. */
export class TokenFileWriter {
  readonly path: string;
  readonly #partial: string;
  readonly #out: BufferedFile;
  #padding = 0;

  private constructor(path: string, partial: string, out: BufferedFile) {
    this.path = path;
    this.#partial = partial;
    this.#out = out;
  }

  /**
   * @param lengths tokens of each sample, in order; iterated twice.
   * @param bytesPerWeight 1 (weights are 0 or 1) or 4 (32-bit floats).
   */
  static async create(
    path: string,
    lengths: Iterable<number>,
    bytesPerWeight: 1 | 4,
  ): Promise<TokenFileWriter> {
    let samples = 0;
    let tokens = 0;
    for (const length of lengths) {
      samples += 1;
      tokens += length;
    }
    const partial = `${path}.partial`;
    const writer = new TokenFileWriter(path, partial, await BufferedFile.create(partial));
    const header = Buffer.alloc(HEADER_BYTES);
    header.write(MAGIC, 'latin1');
    header.set(bytesOf(Uint32Array.of(BYTE_ORDER_MARK, bytesPerWeight)), 8);
    header.set(bytesOf(BigUint64Array.of(BigInt(samples), BigInt(tokens))), 16);
    await writer.#out.append(header);
    for (const offsets of offsetsOf(lengths)) await writer.#out.append(bytesOf(offsets));
    writer.#padding = (8 - ((tokens * 4) % 8)) % 8;
    return writer;
  }

  append(bytes: Uint8Array): Promise<void> {
    return this.#out.append(bytes);
  }

  /** Writes the padding between the tokens and the weights. */
  endTokens(): Promise<void> {
    return this.#out.append(Buffer.alloc(this.#padding));
  }

  /** Renames the file to its final name, after it is complete and flushed to disk. */
  async commit(): Promise<void> {
    await this.#out.sync();
    await this.#out.close();
    await writing(this.path, () => rename(this.#partial, this.path));
  }

  async discard(): Promise<void> {
    await this.#out.close().catch(() => {});
    await rm(this.#partial, { force: true });
  }
}

/** Where each sample starts, and the end, in blocks that are valid until the next one. */
function* offsetsOf(lengths: Iterable<number>): Generator<BigUint64Array, void, undefined> {
  const block = new BigUint64Array(4096);
  let used = 1; // the first sample starts at 0
  let offset = 0;
  for (const length of lengths) {
    if (used === block.length) {
      yield block;
      used = 0;
    }
    offset += length;
    block[used++] = BigInt(offset);
  }
  yield block.subarray(0, used);
}

export function bytesOf(
  array: Int32Array | Uint32Array | Float32Array | BigUint64Array,
): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
