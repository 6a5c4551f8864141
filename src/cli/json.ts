/** One line of a `--json` stream. Numbers that were not measured are null; typed arrays are arrays. */
export function jsonLine(value: object): string {
  return `${JSON.stringify(value, (_key, inner: unknown) =>
    ArrayBuffer.isView(inner) ? Array.from(inner as unknown as ArrayLike<number>) : inner,
  )}\n`;
}
