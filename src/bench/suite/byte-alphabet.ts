/** The printable character that stands for each of the 256 bytes in byte-level BPE (Radford et al. 2019). */
export const BYTE_ALPHABET: readonly string[] = alphabet();

function alphabet(): string[] {
  const isPrintable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCodePoint(isPrintable(byte) ? byte : next++),
  );
}
