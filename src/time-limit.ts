import { createContext, Script } from 'node:vm';

const context = createContext({ work: undefined });
const CALL = new Script('work()');

/**
 * Runs code that does not wait for anything, and ends it at the limit, also within a regular expression.
 *
 * @returns the value of `work`; null at the limit
 */
export function withinTime<T>(work: () => T, limitMs: number): { value: T } | null {
  context.work = work;
  try {
    return { value: CALL.runInContext(context, { timeout: limitMs }) as T };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return null;
    throw error;
  } finally {
    context.work = undefined;
  }
}
