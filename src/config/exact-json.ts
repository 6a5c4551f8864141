/**
 * A number of a JSON file that a JavaScript number would change: a float such as 1.0 or 1e5, which would print as an integer,
 * or an integer above 2^53.
 */
export class ExactNumber {
  /** @param literal as the file has it. */
  constructor(readonly literal: string) {}

  get isFloat(): boolean {
    return /[.eE]/.test(this.literal);
  }

  get value(): number {
    return Number(this.literal);
  }

  toJSON(): number {
    return this.value;
  }

  toString(): string {
    return this.literal;
  }
}

/** Finds out cheaply whether a text may have numbers or keys that JSON.parse() changes. */
const MAY_CHANGE = /[:[,\s]-?\d+(?:\.\d*?0(?!\d)|\.?\d*[eE])|\d{16}|"\d+"\s*:/;

const TOKENS = /"(?:[^"\\]|\\.)*"|[[\]{}]|-?\d[\d.eE+-]*|true|false|null/g;

/**
 * JSON.parse() that keeps what a chat template would print differently: numbers that a JavaScript number would change become
 * an ExactNumber, and an object whose keys JavaScript would reorder (such as "10" before "2") becomes a Map.
 *
 * @throws SyntaxError of JSON.parse()
 */
export function parseExactJson(text: string): unknown {
  const plain: unknown = JSON.parse(text);
  return MAY_CHANGE.test(text) ? readExact(text) : plain;
}

/** Reads text that is known to be JSON. */
function readExact(text: string): unknown {
  const tokens = text.matchAll(TOKENS);
  const next = () => tokens.next().value![0];
  const read = (token: string): unknown => {
    if (token === '[') {
      const items: unknown[] = [];
      for (let each = next(); each !== ']'; each = next()) items.push(read(each));
      return items;
    }
    if (token === '{') {
      const entries = new Map<string, unknown>();
      for (let key = next(); key !== '}'; key = next()) {
        entries.set(JSON.parse(key) as string, read(next()));
      }
      return ofEntries(entries);
    }
    return /^[-\d]/.test(token) ? exactNumber(token) : JSON.parse(token);
  };
  return read(next());
}

function ofEntries(entries: Map<string, unknown>): unknown {
  const object = Object.fromEntries(entries);
  let reordered = false;
  const keys = entries.keys();
  for (const key of Object.keys(object)) reordered ||= key !== keys.next().value;
  return reordered ? entries : object;
}

function exactNumber(literal: string): number | ExactNumber {
  const value = Number(literal);
  const isKept = Number.isInteger(value) ? String(value) === literal : Number.isFinite(value);
  return isKept && !/[.eE]/.test(literal) === Number.isInteger(value)
    ? value
    : new ExactNumber(literal);
}

/** The JavaScript number of a number that parseExactJson() kept exact; other values stay as they are. */
export const plainNumber = (value: unknown): unknown =>
  value instanceof ExactNumber ? value.value : value;

/** The same for the items of a list. */
export const plainNumbers = (value: unknown): unknown =>
  Array.isArray(value) && value.some((item) => item instanceof ExactNumber)
    ? value.map(plainNumber)
    : value;
