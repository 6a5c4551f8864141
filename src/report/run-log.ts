import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { LlamatuneError } from '../errors.js';
import { replaceFile } from '../files/atomic-file.js';
import { checkFiles, type OutputFile } from '../files/check.js';
import { lockOutputs } from '../files/lock.js';
import { comparedOnly, filesOfRun, type RunConfig } from '../files/run-files.js';
import type { DoneEvent, FinetuneEvent, FinetuneResult } from '../finetune/events.js';

/** First line of a run log, with everything that is needed to repeat the run. */
export interface RunLogHeader {
  type: 'run';
  /** ISO 8601. */
  startedAt: string;
  /** The configuration with all defaults. */
  config: unknown;
  /** Versions of llamatune, Node.js and llama.cpp, and the platform. */
  versions: Record<string, string>;
}

/** A run log that is being written. */
export interface RunLogWriter {
  readonly path: string;
  /**
   * Writes one event as one line, immediately, so that a killed run leaves a readable log. The events before the training
   * are written when it starts, so that a run that is refused leaves an existing file as it is.
   */
  write(event: FinetuneEvent): void;
  /** Flushes the log to disk and closes it; further calls do nothing. */
  close(): void;
}

/** The contents of a run log. */
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
 * Starts a run log (JSON Lines: the header, then one event per line). When the training starts, an existing file is
 * replaced, unless it is one of the files of the configuration or another run writes to it. A run that is resumed keeps the
 * events of its log up to the checkpoint.
 *
 * @throws LlamatuneError OUTPUT_CONFLICT, OUTPUT_IN_USE, OUTPUT_NOT_WRITABLE
 */
export function createRunLog(
  path: string,
  header: { config: unknown; versions: Record<string, string> },
): RunLogWriter {
  const output: OutputFile = { field: 'runLog', path, kind: 'log' };
  const { inputs, outputs } = comparedOnly(filesOfRun((header.config ?? {}) as RunConfig));
  checkFiles({ inputs, outputs: [...outputs, output] });
  const first: RunLogHeader = { type: 'run', startedAt: new Date().toISOString(), ...header };
  const file = lockedFile(output);
  let pending = [textOf(first)];
  let training = false;
  let earlier: string[] = [];
  return {
    path,
    write(event) {
      const { type, ...rest } = event;
      if (type === 'resume') {
        const [start, ...preparation] = pending as [string, ...string[]];
        earlier = earlierLines(path, event);
        pending = [start, ...earlier, ...preparation];
      }
      pending.push(textOf({ type, time: new Date().toISOString(), ...rest }));
      training ||= !isPreparation(event);
      if (training) file.write(pending.splice(0).join(''), earlier.length > 0);
    },
    close: file.close,
  };
}

/** The lines of a log of the run that wrote this checkpoint, up to its step; none if the file is something else. */
function earlierLines(
  path: string,
  { step, path: checkpoint }: Extract<FinetuneEvent, { type: 'resume' }>,
): string[] {
  const [endOfName] = /-[0-9a-f]{8}\.gguf$/.exec(checkpoint) ?? [];
  if (endOfName === undefined || isDevice(path)) return [];
  const events = eventsOf(path);
  const isSameRun = events.some(
    (event) => event.type === 'checkpoint' && event.path.endsWith(endOfName),
  );
  return isSameRun
    ? events.filter((event) => 'step' in event && event.step <= step).map(textOf)
    : [];
}

function eventsOf(path: string): RunLogEvent[] {
  try {
    return readRunLog(path).events;
  } catch {
    return []; // there is no file, or it is not a run log
  }
}

/** Whether an event that comes before all others may belong to a run that is refused. */
const isPreparation = (event: FinetuneEvent): boolean =>
  event.type === 'warning' || (event.type === 'phase' && event.phase !== 'train');

const textOf = (line: object): string => `${JSON.stringify(line, plainValue)}\n`;

/** A file that is locked now and replaced at the first write: atomically if `keepsLines`, which are those of the old file. */
function lockedFile(output: OutputFile) {
  const { path } = output;
  const release = isDevice(path) ? () => {} : lockOutputs([output]);
  let file: number | undefined;
  let closed = false;
  return {
    write(text: string, keepsLines: boolean): void {
      if (closed) throw new Error(`the run log ${path} is closed`);
      const isReplaced = file === undefined && keepsLines;
      if (isReplaced) replaceFile(path, text, 'run log');
      try {
        file ??= openSync(path, keepsLines ? 'a' : 'w');
        if (!isReplaced) writeFileSync(file, text);
      } catch (cause) {
        throw notWritable(path, cause);
      }
    },
    close(): void {
      if (closed) return;
      closed = true;
      try {
        if (file !== undefined && fstatSync(file).isFile()) fsyncSync(file);
      } catch (cause) {
        throw notWritable(path, cause);
      } finally {
        if (file !== undefined) closeSync(file);
        release();
      }
    },
  };
}

/** Whether the log goes to a terminal or a pipe, which several runs can share. */
function isDevice(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats !== undefined && !stats.isFile();
}

function notWritable(path: string, cause: unknown): LlamatuneError {
  const message = `cannot write the run log '${path}': ${(cause as Error).message}`;
  return new LlamatuneError('OUTPUT_NOT_WRITABLE', message, {
    hint: 'choose another path, or check permissions and free space',
    cause,
  });
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
      throw invalid(path, i + 1, 'this line is not a JSON object with a type');
    }
  }
  const header = parsed.shift();
  if (header?.type !== 'run') {
    const found = header === undefined ? 'the file is empty' : `it has the type '${header.type}'`;
    throw invalid(path, 1, `the first line must be the header of a run, but ${found}`);
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
