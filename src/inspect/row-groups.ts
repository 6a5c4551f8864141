import type { RowGroup } from './result.js';

/** Rows that are named as examples. */
const EXAMPLES = 5;

export type Example = RowGroup['examples'][number];

/** Adds an example, unless there are enough. */
export function addExample(examples: Example[], where: string, detail: string): void {
  if (examples.length < EXAMPLES) examples.push({ where, detail });
}

/** Counts rows by a code. */
export class RowGroups {
  readonly #groups = new Map<string, RowGroup>();

  add(code: string, message: string, where: string, detail: string): void {
    const group = this.#groups.get(code) ?? { code, message, rows: 0, examples: [] };
    group.rows += 1;
    addExample(group.examples, where, detail);
    this.#groups.set(code, group);
  }

  /** The largest first. */
  get list(): RowGroup[] {
    return [...this.#groups.values()].sort((a, b) => b.rows - a.rows);
  }
}
