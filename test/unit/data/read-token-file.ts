import { readFileSync } from 'node:fs';

/** Reads a token file as native/data/token-file.h describes it. */
export function readTokenFile(path: string): { tokens: number[]; weights: number[] }[] {
  const { buffer } = new Uint8Array(readFileSync(path));
  const [mark, bytesPerWeight] = new Uint32Array(buffer, 8, 2);
  if (Buffer.from(buffer, 0, 8).toString('latin1') !== 'LTTOKEN2' || mark !== 0x01020304) {
    throw new Error(`${path} is not a token file of this machine`);
  }
  const [nSamples, nTokens] = Array.from(new BigUint64Array(buffer, 16, 2), Number);
  const offsets = Array.from(new BigUint64Array(buffer, 32, nSamples! + 1), Number);
  const tokensAt = 32 + offsets.length * 8;
  const tokens = new Int32Array(buffer, tokensAt, nTokens);
  const weightsAt = tokensAt + Math.ceil((nTokens! * 4) / 8) * 8;
  const weights =
    bytesPerWeight === 1
      ? new Uint8Array(buffer, weightsAt, nTokens)
      : new Float32Array(buffer, weightsAt, nTokens);
  return offsets.slice(1).map((end, i) => ({
    tokens: [...tokens.subarray(offsets[i], end)],
    weights: [...weights.subarray(offsets[i], end)],
  }));
}
