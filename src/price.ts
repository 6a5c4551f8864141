/** A price: a number with any currency before or after it, e.g. '$0.30' or '0.30 EUR'. */
export const PRICE = /^(?<prefix>[^\d.,+-]*)(?<amount>\d+(\.\d+)?)(?<suffix>[^\d.,+-]*)$/;

/** The parts of a price. */
export interface Price {
  amount: number;
  prefix: string;
  suffix: string;
}

/** @returns null if it is not a price */
export function priceOf(given: number | string | undefined): Price | null {
  const parts = PRICE.exec(String(given))?.groups as Record<keyof Price, string> | undefined;
  return parts === undefined ? null : { ...parts, amount: Number(parts.amount) };
}
