import { type FileHandle, open } from 'node:fs/promises';
import { z } from 'zod';
import { LlamatuneError } from '../errors.js';
import { replaceFile } from '../files/atomic-file.js';

/** A tensor with its values in F32. */
export interface Tensor {
  /** The last number is the contiguous dimension. */
  shape: readonly number[];
  values: Float32Array;
}

const LONGEST_HEADER = 100 * 2 ** 20;

const header = z.record(
  z.string(),
  z.object({
    dtype: z.string(),
    shape: z.array(z.int().min(0)),
    data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
  }),
);

/**
 * Reads all tensors of a safetensors file of an adapter; half precision becomes F32.
 *
 * @throws LlamatuneError ADAPTER_NOT_FOUND, ADAPTER_UNREADABLE, ADAPTER_INVALID
 */
export async function readSafetensors(path: string): Promise<Map<string, Tensor>> {
  let file: FileHandle;
  try {
    file = await open(path);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new LlamatuneError(
      missing ? 'ADAPTER_NOT_FOUND' : 'ADAPTER_UNREADABLE',
      missing
        ? `adapter not found: ${path}`
        : `cannot read the adapter '${path}': ${(cause as Error).message}`,
      { hint: 'name the folder that PEFT wrote, with adapter_model.safetensors in it', cause },
    );
  }
  try {
    return await readTensors(file, path);
  } finally {
    await file.close();
  }
}

async function readTensors(file: FileHandle, path: string): Promise<Map<string, Tensor>> {
  const { size } = await file.stat();
  const length = size < 8 ? 0 : Number((await bytesAt(file, 0, 8)).readBigUInt64LE());
  if (length < 2 || length > LONGEST_HEADER || 8 + length > size) {
    throw invalid(path, 'it does not start with the header of a safetensors file');
  }
  const entries = parseHeader(await bytesAt(file, 8, length), path);
  const tensors = new Map<string, Tensor>();
  const sizes = Object.values(entries).map(({ data_offsets: [from, to] }) =>
    Math.max(0, to - from),
  );
  if (sizes.reduce((sum, bytes) => sum + bytes, 0) > size - 8 - length) {
    throw invalid(path, 'its tensors overlap, or the file is cut short');
  }
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(entries)) {
    const [start, end] = data_offsets;
    const count = shape.reduce((product, n) => product * n, 1);
    const type = types[dtype];
    if (type === undefined) {
      const known = Object.keys(types).join(', ');
      throw invalid(path, `'${name}' has the type ${dtype} instead of one of ${known}`);
    }
    if (end - start !== count * type.bytes || 8 + length + end > size) {
      throw invalid(path, `the data of '${name}' do not fit its shape or the file`);
    }
    const bytes = await bytesAt(file, 8 + length + start, end - start);
    tensors.set(name, { shape, values: type.toFloats(bytes, count) });
  }
  return tensors;
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes;
}

function parseHeader(bytes: Buffer, path: string): z.infer<typeof header> {
  try {
    const { __metadata__, ...entries } = JSON.parse(bytes.toString('utf8'));
    return header.parse(entries);
  } catch {
    throw invalid(path, 'its header is malformed');
  }
}

const invalid = (path: string, reason: string): LlamatuneError =>
  new LlamatuneError('ADAPTER_INVALID', `cannot read the adapter '${path}': ${reason}`, {
    hint: "copy the adapter again, or save it again with PEFT's save_pretrained()",
  });

const types: Record<
  string,
  { bytes: number; toFloats(bytes: Buffer, count: number): Float32Array }
> = {
  F32: { bytes: 4, toFloats: (bytes, n) => floats(n, (i) => bytes.readFloatLE(4 * i)) },
  F64: { bytes: 8, toFloats: (bytes, n) => floats(n, (i) => bytes.readDoubleLE(8 * i)) },
  F16: {
    bytes: 2,
    toFloats: (bytes, n) => floats(n, (i) => halfToFloat(bytes.readUInt16LE(2 * i))),
  },
  BF16: {
    bytes: 2,
    toFloats(bytes, n) {
      const bits = Uint32Array.from({ length: n }, (_, i) => bytes.readUInt16LE(2 * i) << 16);
      return new Float32Array(bits.buffer);
    },
  },
};

const floats = (count: number, at: (i: number) => number) =>
  Float32Array.from({ length: count }, (_, i) => at(i));

function halfToFloat(bits: number): number {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  if (exponent === 0) return sign * fraction * 2 ** -14;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction) * 2 ** (exponent - 15);
}

/**
 * Writes tensors in F32 as a safetensors file, atomically.
 *
 * @throws LlamatuneError OUTPUT_NOT_WRITABLE
 */
export function writeSafetensors(path: string, tensors: ReadonlyMap<string, Tensor>): void {
  let offset = 0;
  const entries = [...tensors].map(([name, { shape, values }]) => {
    const start = offset;
    offset += values.byteLength;
    return [name, { dtype: 'F32', shape, data_offsets: [start, offset] }] as const;
  });
  const text = JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) });
  // Spaces at the end align the data.
  const json = Buffer.from(text + ' '.repeat((8 - (Buffer.byteLength(text) % 8)) % 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const data = [...tensors.values()].map(
    ({ values }) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  );
  replaceFile(path, [length, json, ...data], 'adapter');
}
