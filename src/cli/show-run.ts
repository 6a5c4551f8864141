import type { Run } from '../index.js';

/** Shows the events of a run until it ends, restores the terminal, and returns the result. */
export async function showRun<Event, Result>(
  run: Run<Event, Result>,
  view: { show(event: Event): void; close(): void },
): Promise<Result> {
  try {
    for await (const event of run) view.show(event);
    return await run.result;
  } finally {
    await run[Symbol.asyncDispose]();
    view.close();
  }
}
