/**
 * An unsigned decimal number, with or without thousands separators: 1,234.5 or .5 or 1.2e-3. Numbers with more separators are
 * infinite; without that limit the search takes time in proportion to the square of their length.
 */
const UNSIGNED = String.raw`(?:\d{1,3}(?:,\d{3}){1,103}(?![\d,])|\d+)(?:\.\d+)?(?:[eE][+-]?\d+(?![\w.]))?|\.\d+`;

/** Numbers divided by each other; the first may have a sign, which does not follow a digit, a letter or a bracket. */
const NUMBER = new RegExp(
  String.raw`(?<![\w.])(?:(?<![)\]}])[-−+])?(?:${UNSIGNED})(?:\s?/\s?(?:${UNSIGNED}))*`,
  'gu',
);

/** \frac{3}{4}, as mathematics in LaTeX is written. */
const LATEX_FRACTION = /\\[dt]?frac\s*\{\s*([-\d.,]+)\s*\}\s*\{\s*([\d.,]+)\s*\}/g;

const toNumber = (text: string): number =>
  Number(text.replaceAll(',', '').replaceAll('−', '-').trim());

/** The value of a fraction (3/4), or the last number of a longer chain, such as a date. */
function valueOfChain(chain: string): number {
  const parts = chain.split('/').map(toNumber);
  return parts.length === 2 ? parts[0]! / parts[1]! : parts.at(-1)!;
}

/**
 * The last number of a text, or null if it has none: integers, decimals with a point, exponents, thousands separated by
 * commas, fractions (3/4) and LaTeX's \frac{3}{4}. A dash that directly follows a digit, a letter or a closing bracket is
 * not a sign: 5-3 ends with 3.
 */
export function lastNumber(text: string): number | null {
  const plain = text.replace(LATEX_FRACTION, ' $1/$2 ').replace(/\{,\}|\\,/g, ',');
  const numbers = Array.from(plain.matchAll(NUMBER), ([chain]) => valueOfChain(chain));
  return numbers.findLast((value) => Number.isFinite(value)) ?? null;
}
