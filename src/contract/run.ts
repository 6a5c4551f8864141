import { LlamatuneError } from '../errors.js';

/** Ends a run; `reason` becomes the `cause` of the ABORTED error. */
type Abort = (reason?: unknown) => void;

interface Controls<Event> {
  /** Passes an event to the iterators. */
  emit: (event: Event) => void;
  /** Aborted by `abort()`, by the caller's AbortSignal and by disposal. */
  signal: AbortSignal;
  /** Resolves when fewer than `count` events wait to be read, or nobody iterates over the run. */
  eventsBelow: (count: number) => Promise<void>;
}

/**
 * Work that started when this object was created: an async iterable of its events, and a promise of its result.
 *
 * - Iterate over it (`for await (const event of run)`) for the events; the iterator throws the error of a failed run.
 * - `await run.result` for the result. One of the two is enough: the other one never causes an unhandled rejection.
 * - Leaving the loop early does not stop the run; `abort()`, the config's `signal` and `await using` do.
 * - Up to `bufferLimit` events are kept until they are read; then the oldest are dropped, so a run without a reader
 *   neither stalls nor fills the memory. With `waitsForReaders` events are dropped only while nobody iterates: the work
 *   itself waits for a slow reader (`eventsBelow`). Several iterators share one stream: each event goes to one of them.
 */
export class Run<Event, Result> implements AsyncIterable<Event>, AsyncDisposable {
  /** The result. Rejects with a LlamatuneError, after an abort with code ABORTED. */
  readonly result: Promise<Result>;

  readonly #controller = new AbortController();
  readonly #events: Event[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #waitingForReaders: (() => void)[] = [];
  readonly #limit: number;
  readonly #waitsForReaders: boolean;
  #readers = 0;
  #dropped = 0;
  #ended = false;
  #failure: { error: unknown } | null = null;

  constructor(
    work: (controls: Controls<Event>) => Promise<Result>,
    options: {
      signal?: AbortSignal | undefined;
      bufferLimit?: number;
      waitsForReaders?: boolean;
    } = {},
  ) {
    this.#limit = options.bufferLimit ?? 4096;
    this.#waitsForReaders = options.waitsForReaders ?? false;
    const outer = options.signal;
    const follow = () => this.abort(outer?.reason);
    if (outer?.aborted) follow();
    else outer?.addEventListener('abort', follow, { once: true });

    const controls = {
      emit: (event: Event) => this.#emit(event),
      signal: this.#controller.signal,
      eventsBelow: (count: number) => this.#eventsBelow(count),
    };
    // Starts in a microtask, so that the caller has the run before `work` can emit or throw.
    this.result = Promise.resolve()
      .then(() => work(controls))
      .catch((error: unknown) => {
        this.#failure = { error };
        throw error;
      })
      .finally(() => {
        outer?.removeEventListener('abort', follow);
        this.#ended = true;
        wake(this.#waiting);
      });
    // A caller that only iterates gets the error from the iterator: this promise must not be an unhandled rejection.
    this.result.catch(() => {});
  }

  /** Number of events that were dropped because they were not read in time. */
  get droppedEvents(): number {
    return this.#dropped;
  }

  /** Ends the run within one training step or one generated token; `result` rejects with code ABORTED. */
  readonly abort: Abort = (reason) => {
    if (!this.#ended) this.#controller.abort(abortedError(reason));
  };

  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void, undefined> {
    this.#readers++;
    try {
      for (;;) {
        const event = this.#events.shift();
        wake(this.#waitingForReaders);
        if (event !== undefined) yield event;
        else if (this.#ended) break;
        else await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
    } finally {
      this.#readers--;
      wake(this.#waitingForReaders);
    }
    if (this.#failure) throw this.#failure.error;
  }

  /** Aborts the run and waits for its end; never throws. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.abort();
    await this.result.catch(() => {});
  }

  #emit(event: Event): void {
    if (this.#ended) return;
    this.#events.push(event);
    const keepsAll = this.#waitsForReaders && this.#readers > 0;
    if (this.#events.length > this.#limit && !keepsAll) {
      this.#events.shift();
      this.#dropped++;
    }
    wake(this.#waiting);
  }

  async #eventsBelow(count: number): Promise<void> {
    while (this.#readers > 0 && this.#events.length >= count && !this.#ended) {
      await new Promise<void>((resolve) => this.#waitingForReaders.push(resolve));
    }
  }
}

function wake(waiting: (() => void)[]): void {
  for (const resolve of waiting.splice(0)) resolve();
}

/**
 * The error of a run that its caller aborted.
 *
 * @param reason of the abort: the cause of the error, or such an error
 * @param ended the error with which the work ended; an ABORTED one says what was saved
 */
export function abortedError(reason?: unknown, ended?: LlamatuneError): LlamatuneError {
  const isAborted = (error: unknown): error is LlamatuneError =>
    error instanceof LlamatuneError && error.code === 'ABORTED';
  const saved = isAborted(ended) && ended.hint !== '';
  if (isAborted(reason) && !saved) return reason;
  const cause = isAborted(reason) ? reason.cause : reason;
  return new LlamatuneError('ABORTED', saved ? ended.message : 'the run was aborted', {
    hint: saved ? ended.hint : 'start it again',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** @throws LlamatuneError ABORTED if the caller has aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedError(signal.reason);
}

/**
 * Waits for work of the user, which may never end.
 *
 * @throws LlamatuneError ABORTED as soon as the caller aborts
 */
export async function untilAborted<T>(
  work: () => T | Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  throwIfAborted(signal);
  if (signal === undefined) return work();
  let stopListening = () => {};
  const aborted = new Promise<never>((_, reject) => {
    const onAbort = () => reject(abortedError(signal.reason));
    signal.addEventListener('abort', onAbort, { once: true });
    stopListening = () => signal.removeEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    stopListening();
  }
}
