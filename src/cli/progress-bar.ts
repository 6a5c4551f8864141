import type { Options } from 'cli-progress';

/** The look of every progress bar, on a terminal. `format` is that of cli-progress. */
export const barOptions = (stream: NodeJS.WritableStream, format: string): Options => ({
  stream: stream as NodeJS.WriteStream,
  format: `{bar} {percentage}%  {value}/{total}${format}`,
  barCompleteChar: '█',
  barIncompleteChar: '░',
  barsize: 24,
  hideCursor: true,
  fps: 8,
  gracefulExit: false,
});
