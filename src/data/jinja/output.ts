import type { RenderLimits } from './limits.js';

/** A range of a text, in UTF-16 units. */
export interface TextSpan {
  start: number;
  end: number;
}

/** The text that a block writes, and the parts of it that generation blocks wrote. */
export class Output {
  readonly generated: TextSpan[] = [];
  readonly #parts: string[] = [];
  readonly #limits: RenderLimits;
  #length = 0;

  constructor(limits: RenderLimits) {
    this.#limits = limits;
  }

  get text(): string {
    return this.#parts.join('');
  }

  push(text: string): void {
    this.#limits.countOutput(text.length);
    this.#parts.push(text);
    this.#length += text.length;
  }

  pushGenerated(text: string): void {
    const start = this.#length;
    this.push(text);
    if (text !== '') this.generated.push({ start, end: this.#length });
  }
}
