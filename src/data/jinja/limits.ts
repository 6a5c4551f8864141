import { JinjaError } from './values.js';

/** Characters of a text, and items of a list, that a template may make. */
export const LARGEST_TEXT = 10_000_000;

/** Statements that one rendering may run: a conversation of a thousand messages needs about a thirtieth. */
const MOST_STATEMENTS = 3_000_000;
/** Characters that the blocks of one rendering may write together. */
const MOST_OUTPUT = 20 * LARGEST_TEXT;

/** Ends templates that would run for hours or fill the memory. */
export class RenderLimits {
  #statements = 0;
  #output = 0;

  countStatement(): void {
    this.#statements += 1;
    if (this.#statements > MOST_STATEMENTS) {
      throw new JinjaError(`the template runs more than ${MOST_STATEMENTS} statements`);
    }
  }

  countOutput(characters: number): void {
    this.#output += characters;
    if (this.#output > MOST_OUTPUT) {
      throw new JinjaError(`the template writes more than ${MOST_OUTPUT} characters`);
    }
  }
}

/** @throws JinjaError for a text or a list that is too large */
export function checkSize(length: number): void {
  if (length > LARGEST_TEXT) throw new JinjaError('the text or list would be too large');
}
