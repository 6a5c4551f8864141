import { reasonOf } from '../errors.js';

/**
 * Makes a callback of the caller safe to call from the addon, where an error would end the process: after its first error
 * it is not called again, and a warning says so. The work continues, as it does not need the callback.
 *
 * @param name of the option, for the warning
 */
export function guardedCallback<Values extends unknown[]>(
  name: string,
  callback: ((...values: Values) => unknown) | undefined,
): (...values: Values) => void {
  let current = callback;
  const fail = (error: unknown) => {
    if (current === undefined) return;
    current = undefined;
    process.emitWarning(`${name} failed and is not called again: ${reasonOf(error)}`, {
      code: 'LLAMATUNE_CALLBACK_FAILED',
    });
  };
  return (...values) => {
    try {
      const pending = current?.(...values);
      if (pending instanceof Promise) pending.catch(fail);
    } catch (error) {
      fail(error);
    }
  };
}
