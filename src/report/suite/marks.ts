import type { MarkedText } from './document.js';

/**
 * Text with its line breaks and control characters visible: a learned line break is a token like any other, and a control
 * character could change a terminal.
 */
export function visibleText(text: string, weight: number): string {
  const breaks = weight > 0 ? text.replaceAll('\n', '↵\n') : text;
  return breaks.replaceAll(/(?![\n\t])\p{Cc}/gu, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? '\u2421' : '\uFFFD';
  });
}

export const formatWeight = (weight: number): string => String(Number(weight.toPrecision(4)));

/** Learned text in brackets, with its weight unless it is 1. */
export function bracketed({ text, weight }: MarkedText): string {
  const shown = visibleText(text, weight);
  if (weight === 0) return shown;
  return weight === 1 ? `⟦${shown}⟧` : `⟦${formatWeight(weight)}: ${shown}⟧`;
}

const GREEN = '\x1b[32m';
const YELLOW = '\x1b[33m';
const DIM = '\x1b[2m';
const RESET = '\x1b[0m';

/** Learned text in green, or in yellow with a weight other than 1, between dim text. */
export function colored({ text, weight }: MarkedText): string {
  const color = weight === 0 ? DIM : weight === 1 ? GREEN : YELLOW;
  // each line has its own color, so that pagers show them right
  return visibleText(text, weight).replaceAll(/[^\n]+/g, (line) => `${color}${line}${RESET}`);
}
