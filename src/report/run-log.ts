import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { LlamatuneError } from '../errors.js';
import type { DoneEvent, FinetuneEvent, FinetuneResult } from '../finetune/events.js';

/** First line of a run log: what is needed to repeat the run. */
export interface RunLogHeader {
  type: 'run';
  /** ISO 8601. */
  startedAt: string;
  /** The configuration with all defaults. */
  config: unknown;
  /** Versions of llamatune, Node.js and llama.cpp, and the platform. */
  versions: Record<string, string>;
}

export interface RunLogWriter {
  readonly path: string;
  /** Writes one event as one line, immediately, so that a killed run leaves a readable log. */
  write(event: FinetuneEvent): void;
  close(): void;
}

export interface RunLog {
  header: RunLogHeader;
  /** Events in file order. */
  events: RunLogEvent[];
}

/** A line of the log after the first: an event and the time (ISO 8601) at which it was written. */
export type RunLogEvent = { time: string } & (
  | Exclude<FinetuneEvent, DoneEvent>
  | { type: 'done'; result: Omit<FinetuneResult, 'losses'> & { losses: (number | null)[] } }
);

/**
 * Starts a run log (JSON Lines: the header, then one event per line). An existing file is replaced.
 *
 * @throws LlamatuneError OUTPUT_NOT_WRITABLE
 */
export function createRunLog(
  path: string,
  header: { config: unknown; versions: Record<string, string> },
): RunLogWriter {
  let file: number | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true });
    file = openSync(path, 'w');
  } catch (cause) {
    throw new LlamatuneError(
      'OUTPUT_NOT_WRITABLE',
      `expected a run log that can be written but received ${path}: ${(cause as Error).message}`,
      { hint: 'choose a directory that you may write to', cause },
    );
  }
  const writeLine = (line: object) => {
    if (file === undefined) throw new Error(`the run log ${path} is closed`);
    writeSync(file, `${JSON.stringify(line, plainValue)}\n`);
  };
  const first: RunLogHeader = { type: 'run', startedAt: new Date().toISOString(), ...header };
  writeLine(first);
  return {
    path,
    write: (event) => {
      const { type, ...rest } = event;
      writeLine({ type, time: new Date().toISOString(), ...rest });
    },
    close: () => {
      if (file === undefined) return;
      fsyncSync(file);
      closeSync(file);
      file = undefined;
    },
  };
}

/**
 * Reads a run log. An unfinished last line of a killed run is ignored.
 *
 * @throws LlamatuneError RUN_LOG_INVALID with file and line number
 */
export function readRunLog(path: string): RunLog {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new LlamatuneError(
      'RUN_LOG_INVALID',
      `cannot read the run log ${path}: ${(cause as Error).message}`,
      { hint: 'pass the run log that a fine-tuning run wrote', cause },
    );
  }
  const finished = text.endsWith('\n');
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const parsed: { type: string }[] = [];
  for (const [i, line] of lines.entries()) {
    const value = parseEvent(line);
    if (value) {
      parsed.push(value);
    } else if (i < lines.length - 1 || finished) {
      throw invalid(path, i + 1, 'expected a JSON object with a type');
    }
  }
  const header = parsed.shift();
  if (header?.type !== 'run') {
    throw invalid(path, 1, `expected the run's header but received ${header?.type ?? 'nothing'}`);
  }
  return { header: header as RunLogHeader, events: parsed as RunLogEvent[] };
}

function parseEvent(line: string): { type: string } | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const isEvent = typeof (value as { type?: unknown } | null)?.type === 'string';
    return isEvent ? (value as { type: string }) : undefined;
  } catch {
    return undefined;
  }
}

function invalid(path: string, line: number, message: string): LlamatuneError {
  return new LlamatuneError('RUN_LOG_INVALID', `${path}:${line}: ${message}`, {
    hint: 'pass the run log that a fine-tuning run wrote',
  });
}

/** Converts typed arrays to arrays and leaves out abort signals. */
function plainValue(_key: string, value: unknown): unknown {
  if (value instanceof AbortSignal) return undefined;
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number>);
  return value;
}
