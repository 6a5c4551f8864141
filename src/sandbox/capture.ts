import type { Readable } from 'node:stream';

/** Output of a program, of which `limit` bytes are kept. */
export class Capture {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  /** @param onExcess called when a stream has more than `limit` bytes */
  constructor(stream: Readable, limit: number, onExcess: () => void) {
    stream.on('data', (chunk: Buffer) => {
      const left = limit - this.#bytes;
      this.#bytes += chunk.length;
      if (left > 0) this.#chunks.push(chunk.subarray(0, left));
      if (this.#bytes > limit) onExcess();
    });
    stream.on('error', () => {}); // the process was killed
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}
