const cleanups = new Set<() => void>();

function runAll(): void {
  for (const cleanup of cleanups) cleanup();
}

/**
 * Runs `cleanup` if the process ends through `process.exit()` before the returned function was called. Signals are the
 * application's business: what a killed process leaves behind is removed by the next one.
 */
export function atExit(cleanup: () => void): () => void {
  if (cleanups.size === 0) process.on('exit', runAll);
  cleanups.add(cleanup);
  return () => {
    cleanups.delete(cleanup);
    if (cleanups.size === 0) process.off('exit', runAll);
  };
}
