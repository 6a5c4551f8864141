import { describe, expect, it } from 'vitest';
import { crc32c, record } from '../../../src/track/event-file.js';

describe('crc32c', () => {
  it('gives the check values of RFC 3720', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  });
});

describe('record', () => {
  it('has the length, the data and a checksum of each', () => {
    const bytes = record(Buffer.from('abc'));
    expect(bytes).toHaveLength(8 + 4 + 3 + 4);
    expect(bytes.readBigUInt64LE()).toBe(3n);
    expect(bytes.subarray(12, 15).toString()).toBe('abc');
  });
});
