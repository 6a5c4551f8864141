import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { LlamatuneError } from '../errors.js';

const GZIP = [0x1f, 0x8b];
/** Byte-order marks of UTF-16, which Windows' tools write. */
const UTF16 = { 'utf-16le': [0xff, 0xfe], 'utf-16be': [0xfe, 0xff] } as const;

const startsWith = (bytes: Uint8Array, prefix: readonly number[]): boolean =>
  prefix.every((byte, i) => bytes[i] === byte);

/**
 * The bytes of a file in pieces, with constant memory: decompressed if it is a gzip file, whatever its name, and as UTF-8 if
 * it is UTF-16 with a byte-order mark.
 *
 * @throws LlamatuneError DATASET_NOT_FOUND, DATASET_UNREADABLE, DATASET_ENCODING
 */
export async function* fileBytes(path: string): AsyncGenerator<Buffer, void, undefined> {
  yield* asUtf8(decompressed(path), path);
}

async function* decompressed(path: string): AsyncGenerator<Buffer> {
  const source = createReadStream(path, { highWaterMark: 256 * 1024 });
  const [first, rest] = await peek(chunksOf(source, path));
  if (!startsWith(first, GZIP)) {
    yield* rest;
    return;
  }
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  const feed = async () => {
    for await (const chunk of rest) {
      if (!gunzip.write(chunk)) await new Promise((resolve) => gunzip.once('drain', resolve));
    }
    gunzip.end();
  };
  feed().catch((error) => gunzip.destroy(error));
  try {
    yield* chunksOf(gunzip, path);
  } finally {
    gunzip.destroy();
    source.destroy();
  }
}

async function* asUtf8(bytes: AsyncGenerator<Buffer>, path: string): AsyncGenerator<Buffer> {
  const [first, rest] = await peek(bytes);
  const encoding = (Object.keys(UTF16) as (keyof typeof UTF16)[]).find((name) =>
    startsWith(first, UTF16[name]),
  );
  if (encoding === undefined) {
    yield* rest;
    return;
  }
  const decoder = new TextDecoder(encoding, { fatal: true });
  try {
    for await (const chunk of rest) yield Buffer.from(decoder.decode(chunk, { stream: true }));
    yield Buffer.from(decoder.decode());
  } catch (cause) {
    if (cause instanceof LlamatuneError) throw cause;
    throw new LlamatuneError(
      'DATASET_ENCODING',
      `${path}: the text is not ${encoding.toUpperCase()}`,
      {
        hint: 'save the file as UTF-8',
        cause,
      },
    );
  }
}

/** The first piece, empty for an empty file, and all pieces with it. */
async function peek(
  pieces: AsyncGenerator<Buffer>,
): Promise<[first: Buffer, all: AsyncGenerator<Buffer>]> {
  const { value, done } = await pieces.next();
  const first = done ? Buffer.alloc(0) : value;
  async function* all() {
    if (!done) yield first;
    yield* pieces;
  }
  return [first, all()];
}

async function* chunksOf(
  stream: AsyncIterable<unknown>,
  path: string,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (cause) {
    if (cause instanceof LlamatuneError) throw cause;
    throw unreadable(path, cause as NodeJS.ErrnoException);
  }
}

/** @param cause what reading the file threw */
export function unreadable(path: string, cause: NodeJS.ErrnoException): LlamatuneError {
  const { code, message } = cause;
  if (code === 'ENOENT') {
    return new LlamatuneError('DATASET_NOT_FOUND', `dataset not found: ${path}`, {
      hint: 'check the path',
      cause,
    });
  }
  const damaged = code?.startsWith('Z_');
  return new LlamatuneError('DATASET_UNREADABLE', `cannot read dataset ${path}: ${message}`, {
    hint: damaged
      ? 'the gzip file is damaged or incomplete: make or download it again'
      : 'check that it is a file and that you may read it',
    cause,
  });
}
