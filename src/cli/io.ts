/** The streams and environment of the command line; tests pass their own. */
export interface CliIo {
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  stderr: NodeJS.WritableStream & { isTTY?: boolean };
  env: Record<string, string | undefined>;
  /** Aborted by the first Ctrl-C or other signal that asks the process to end; the reason is the signal's name. */
  signal: AbortSignal;
  /** Aborted when standard output is closed (`| head`); later output is dropped. */
  outputClosed: AbortSignal;
}

/** Width for wrapping text: the width of the terminal, limited to 60 to 100 columns; 80 without a terminal. */
export function textWidth(io: CliIo): number {
  return Math.min(100, Math.max(60, io.stdout.columns ?? 80));
}

/** Whether text on standard output may have colors: on a terminal, unless NO_COLOR is set (https://no-color.org). */
export function usesColor({ stdout, env }: CliIo): boolean {
  return stdout.isTTY === true && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb';
}

/** Reads a whole stream as text. */
export async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  stream.setEncoding('utf8');
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}
