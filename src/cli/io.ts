/** What the command line reads and writes; a program other than the shell can give its own. */
export interface CliIo {
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  stderr: NodeJS.WritableStream & { isTTY?: boolean };
  env: Record<string, string | undefined>;
  /** Aborted on the first interrupt. */
  signal: AbortSignal;
}

/** Width for texts: the terminal's, but never too wide to read; 80 where there is none. */
export function textWidth(io: CliIo): number {
  return Math.min(100, Math.max(60, io.stdout.columns ?? 80));
}

/** All of a stream as text. */
export async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  stream.setEncoding('utf8');
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}
