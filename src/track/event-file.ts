// TensorBoard's event files: records as in TFRecord files, each a protocol buffer of the type Event.
// https://www.tensorflow.org/tutorials/load_data/tfrecord, tensorflow/core/util/event.proto, summary.proto

/** CRC-32C (Castagnoli), reflected. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** The checksum of TFRecord files, which is not the checksum of a file that holds its own checksums. */
function maskedCrc(bytes: Uint8Array): Uint8Array {
  const crc = crc32c(bytes);
  return uint32(((crc >>> 15) | (crc << 17)) + 0xa282ead8);
}

/** A record: the length and its checksum, the data and its checksum. */
export function record(data: Uint8Array): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(data.length));
  return Buffer.concat([length, maskedCrc(length), data, maskedCrc(data)]);
}

/** A number over time in TensorBoard; names with '/' are grouped by what comes before it. */
export interface Scalar {
  tag: string;
  value: number;
}

/** The first event of a file. */
export const versionEvent = (time: Date): Buffer =>
  Buffer.concat([wallTime(time), text(3, 'brain.Event:2')]);

export const scalarEvent = (time: Date, step: number, scalars: readonly Scalar[]): Buffer =>
  Buffer.concat([wallTime(time), key(2, VARINT), varint(step), bytes(5, summary(scalars))]);

const summary = (scalars: readonly Scalar[]): Buffer =>
  Buffer.concat(
    scalars.map(({ tag, value }) => bytes(1, Buffer.concat([text(1, tag), float(2, value)]))),
  );

// --- protocol buffers ---

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

const key = (field: number, wireType: number): Buffer => varint((field << 3) | wireType);

/** Seven bits a byte, the lowest first. */
function varint(value: number): Buffer {
  const parts: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) parts.push((rest % 0x80) | 0x80);
  return Buffer.from([...parts, rest]);
}

const bytes = (field: number, data: Uint8Array): Buffer =>
  Buffer.concat([key(field, LENGTH_DELIMITED), varint(data.length), data]);

const text = (field: number, value: string): Buffer => bytes(field, Buffer.from(value));

function float(field: number, value: number): Buffer {
  const data = Buffer.alloc(4);
  data.writeFloatLE(value);
  return Buffer.concat([key(field, FIXED32), data]);
}

/** Seconds since 1970. */
function wallTime(time: Date): Buffer {
  const data = Buffer.alloc(8);
  data.writeDoubleLE(time.getTime() / 1000);
  return Buffer.concat([key(1, FIXED64), data]);
}

function uint32(value: number): Buffer {
  const data = Buffer.alloc(4);
  data.writeUInt32LE(value >>> 0);
  return data;
}
