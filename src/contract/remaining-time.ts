/**
 * Estimates how long work still takes, from the pace of this call.
 *
 * @returns a function of the number of parts that are done; it is called after each of them
 */
export function remainingTime(total: number): (done: number) => number {
  const started = performance.now();
  let doneBefore: number | null = null;
  return (done) => {
    doneBefore ??= done - 1;
    return ((performance.now() - started) / (done - doneBefore)) * (total - done);
  };
}
