import { LlamatuneError } from '../errors.js';

/** Ends a run; `reason` becomes the `cause` of the ABORTED error. */
type Abort = (reason?: unknown) => void;

interface Controls<Event> {
  /** Hands an event to whoever iterates. */
  emit: (event: Event) => void;
  /** Aborted by `abort()`, by the caller's AbortSignal and by disposal. */
  signal: AbortSignal;
}

/**
 * A piece of work that started when it was created: an async iterable of events, and a promise of the result.
 *
 * - Iterate it (`for await (const event of run)`) to follow it; the iterator throws the run's error at its end.
 * - `await run.result` for the outcome. Doing only one of the two is fine: an error that the other one would have
 *   reported as unhandled is not.
 * - Leaving the loop early does not stop the run; `abort()`, the config's `signal` or `await using` do.
 * - Events that nobody has taken yet are kept up to `bufferLimit`; beyond it the oldest are dropped, so a run that
 *   nobody follows neither stalls nor fills the memory. Several iterators share one stream.
 */
export class Run<Event, Result> implements AsyncIterable<Event>, AsyncDisposable {
  /** The outcome. Rejects with a LlamatuneError; code ABORTED after an abort. */
  readonly result: Promise<Result>;

  readonly #controller = new AbortController();
  readonly #events: Event[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #limit: number;
  #dropped = 0;
  #ended = false;
  #failure: { error: unknown } | null = null;

  constructor(
    work: (controls: Controls<Event>) => Promise<Result>,
    options: { signal?: AbortSignal | undefined; bufferLimit?: number } = {},
  ) {
    this.#limit = options.bufferLimit ?? 4096;
    const outer = options.signal;
    const follow = () => this.abort(outer?.reason);
    if (outer?.aborted) follow();
    else outer?.addEventListener('abort', follow, { once: true });

    const controls = { emit: (event: Event) => this.#emit(event), signal: this.#controller.signal };
    // Started in a microtask: the caller gets the run first and misses no event, even where `work` throws at once.
    this.result = Promise.resolve()
      .then(() => work(controls))
      .catch((error: unknown) => {
        this.#failure = { error };
        throw error;
      })
      .finally(() => {
        outer?.removeEventListener('abort', follow);
        this.#ended = true;
        this.#wake();
      });
    // Whoever iterates only gets the error from the iterator; it must not count as an unhandled rejection too.
    this.result.catch(() => {});
  }

  /** Events that were dropped because nobody took them in time. */
  get droppedEvents(): number {
    return this.#dropped;
  }

  /** Ends the run within one training step or one generated token; `result` rejects with code ABORTED. */
  readonly abort: Abort = (reason) => {
    if (!this.#ended) this.#controller.abort(abortedError(reason));
  };

  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void, undefined> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) yield event;
      else if (this.#ended) break;
      else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#failure) throw this.#failure.error;
  }

  /** Aborts and waits until nothing of the run is left; never throws. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.abort();
    await this.result.catch(() => {});
  }

  #emit(event: Event): void {
    if (this.#ended) return;
    this.#events.push(event);
    if (this.#events.length > this.#limit) {
      this.#events.shift();
      this.#dropped++;
    }
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** The error of a run that was ended by its caller. */
export function abortedError(reason?: unknown): LlamatuneError {
  if (reason instanceof LlamatuneError && reason.code === 'ABORTED') return reason;
  return new LlamatuneError('ABORTED', 'the run was aborted', {
    hint: 'nothing was written; start it again, or resume it from its last checkpoint',
    ...(reason === undefined ? {} : { cause: reason }),
  });
}
