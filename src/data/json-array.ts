import { invalidJson } from './jsonl.js';
import type { TextLine } from './lines.js';

/**
 * The text of every element of a JSON array, with the line on which it starts. Only the text of one element is in memory.
 * Elements are separated by counting brackets outside strings; whether they are JSON is up to the caller.
 *
 * @throws LlamatuneError DATASET_INVALID_JSON for text before, between or after the elements, and for an array that does not
 * end
 */
export async function* arrayElements(
  lines: AsyncIterable<TextLine>,
  path: string,
): AsyncGenerator<TextLine, void, undefined> {
  const scanner = new ArrayScanner(path);
  for await (const { text, line } of lines) yield* scanner.scan(`${text}\n`, line);
  scanner.end();
}

/** Brackets, quotes, commas and backslashes: everything else only belongs to an element. */
const STRUCTURE = /["\\[\]{},]/g;

/** A larger element means an unclosed bracket or quote, and reading it would fill the memory. */
const LARGEST_ELEMENT = 64 * 1024 * 1024;

class ArrayScanner {
  readonly #path: string;
  /** 0: before the array; 1: between its elements or in a number or word; more: inside an element. */
  #depth = 0;
  #inString = false;
  #ended = false;
  #element = '';
  #elementLine = 0;
  #line = 0;
  #hasElements = false;

  constructor(path: string) {
    this.#path = path;
  }

  *scan(text: string, line: number): Generator<TextLine> {
    this.#line = line;
    let start = 0;
    STRUCTURE.lastIndex = 0;
    for (let match = STRUCTURE.exec(text); match !== null; match = STRUCTURE.exec(text)) {
      const at = match.index;
      const character = match[0];
      if (this.#inString) {
        if (character === '\\') STRUCTURE.lastIndex = at + 2;
        else if (character === '"') this.#inString = false;
        continue;
      }
      if (character === '"') this.#inString = true;
      else if (character === '[' || character === '{') {
        this.#depth += 1;
        if (this.#depth === 1 && !this.#ended) start = this.#open(text, at);
      } else if (character === ']' || character === '}') {
        this.#depth -= 1;
        if (this.#depth === 0) {
          this.#append(text.slice(start, at));
          yield* this.#finish(character);
          start = at + 1;
        }
      } else if (character === ',' && this.#depth === 1) {
        this.#append(text.slice(start, at));
        yield* this.#take();
        start = at + 1;
      }
    }
    this.#append(text.slice(start));
  }

  end(): void {
    if (!this.#ended) throw this.#invalid('the array does not end');
  }

  #open(text: string, at: number): number {
    if (text.slice(0, at).trim() !== '') throw this.#invalid('there is text before the array');
    return at + 1;
  }

  #append(text: string): void {
    if (this.#ended && text.trim() !== '') throw this.#invalid('there is text after the array');
    if (this.#element === '') {
      const trimmed = text.trimStart();
      if (trimmed === '') return;
      this.#element = trimmed;
      this.#elementLine = this.#line;
    } else {
      this.#element += text;
      if (this.#element.length > LARGEST_ELEMENT) {
        throw this.#invalid(`the element from line ${this.#elementLine} on does not end`);
      }
    }
  }

  *#take(): Generator<TextLine> {
    if (this.#element === '') throw this.#invalid('there is no element before a comma');
    this.#hasElements = true;
    yield { text: this.#element, line: this.#elementLine };
    this.#element = '';
  }

  *#finish(character: string): Generator<TextLine> {
    if (character !== ']' || this.#ended) throw this.#invalid('the brackets do not match');
    // an empty array, or a comma after the last element
    if (this.#element !== '') yield* this.#take();
    else if (this.#hasElements) throw this.#invalid('there is no element after the last comma');
    this.#ended = true;
  }

  #invalid(message: string) {
    return invalidJson(`${this.#path}:${this.#line}`, message);
  }
}
