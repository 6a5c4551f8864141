import {
  closeSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { extname } from 'node:path';
import type {
  InterventionEvent,
  ResumeEvent,
  StepEvent,
  StepHistory,
} from '../contract/training.js';
import { LlamatuneError } from '../errors.js';
import { replaceFile } from '../files/atomic-file.js';
import { endOfLinks, isDevice } from '../files/identity.js';
import type { DoneEvent, FinetuneEvent, FinetuneResult } from '../finetune/events.js';
import type { Tracker } from './tracker.js';

/** First line of a run log, with everything that is needed to repeat the run. */
export interface RunLogHeader {
  type: 'run';
  /** ISO 8601. */
  startedAt: string;
  /** The configuration with all defaults. Rows from memory are left out. */
  config: unknown;
  /** Versions of llamatune, Node.js and llama.cpp, and the platform. */
  versions: Record<string, string>;
}

/** The contents of a run log. */
export interface RunLog {
  header: RunLogHeader;
  /** Events in file order. */
  events: RunLogEvent[];
}

/** A line of the log after the first: an event and the time (ISO 8601) at which it was written. */
export type RunLogEvent = { time: string } & (
  | Exclude<FinetuneEvent, DoneEvent | ResumeEvent>
  | Omit<ResumeEvent, 'history'>
  | RestoredEvent
  | { type: 'done'; result: LoggedResult }
);

/**
 * What a checkpoint knows of an event that the killed run had not written into its log yet: the line was added when the run was
 * resumed.
 */
export type RestoredEvent = { restored: true } & (
  | Pick<StepEvent, 'type' | 'step' | 'loss' | 'learningRate'>
  | ({ type: 'evaluation' } & StepHistory['evaluations'][number])
  | InterventionEvent
);

/** A result as JSON holds it: typed arrays are arrays, and a loss that is not finite is null. */
export type LoggedResult = Omit<FinetuneResult, 'losses' | 'learningRates'> & {
  losses: (number | null)[];
  learningRates: number[];
};

/**
 * Writes the events of a run as JSON Lines: the header, then one event per line, each immediately, so that a killed run
 * leaves a readable log. The file is opened when the training starts, so that a run that is refused leaves an existing
 * file as it is. A run that is resumed keeps the events of its log up to the checkpoint, and adds those that only the checkpoint
 * has. Any other file in its place gets a number in its name: run-1.jsonl.
 */
export class RunLogTracker implements Tracker {
  readonly #path: string;
  #pending: string[];
  #earlier: string[] = [];
  #file: number | undefined;

  constructor(path: string, header: Pick<RunLogHeader, 'config' | 'versions'>) {
    this.#path = path;
    const first: RunLogHeader = { type: 'run', startedAt: new Date().toISOString(), ...header };
    this.#pending = [textOf(first)];
  }

  /** @throws LlamatuneError OUTPUT_NOT_WRITABLE */
  write(event: FinetuneEvent): void {
    if (event.type === 'resume') {
      const [first, ...preparation] = this.#pending as [string, ...string[]];
      this.#earlier = earlierLines(this.#path, event);
      this.#pending = [first, ...this.#earlier, ...preparation];
    }
    this.#pending.push(lineOf(event));
    if (this.#file === undefined && isPreparation(event)) return;
    this.#attempt(() => this.#append(this.#pending.splice(0).join('')));
  }

  /** Flushes the log to disk. @throws LlamatuneError OUTPUT_NOT_WRITABLE */
  close(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    this.#attempt(() => {
      try {
        if (fstatSync(file).isFile()) fsyncSync(file);
      } finally {
        closeSync(file);
      }
    });
  }

  #append(text: string): void {
    if (this.#file !== undefined) {
      writeFileSync(this.#file, text);
    } else if (this.#earlier.length > 0) {
      replaceFile(this.#path, text, 'run log');
      this.#file = openSync(this.#path, 'a');
    } else {
      setAside(this.#path);
      this.#file = openSync(this.#path, 'a');
      writeFileSync(this.#file, text);
    }
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (cause) {
      const file = this.#file;
      this.#file = undefined;
      if (file !== undefined) closeSync(file);
      if (cause instanceof LlamatuneError) throw cause;
      throw new LlamatuneError(
        'OUTPUT_NOT_WRITABLE',
        `cannot write the run log '${this.#path}': ${(cause as Error).message}`,
        { hint: 'choose another path, or check permissions and free space', cause },
      );
    }
  }
}

/** Renames a file that has contents to the first free name with a number: run.jsonl becomes run-1.jsonl. */
function setAside(path: string): void {
  const target = endOfLinks(path);
  const stats = statSync(target, { throwIfNoEntry: false });
  if (stats === undefined || !stats.isFile() || stats.size === 0) return;
  const extension = extname(target);
  const stem = target.slice(0, target.length - extension.length);
  for (let count = 1; ; count++) {
    const free = `${stem}-${count}${extension}`;
    if (lstatSync(free, { throwIfNoEntry: false }) !== undefined) continue;
    renameSync(target, free);
    return;
  }
}

/** The history of a resumed run is in the lines of its steps. */
function lineOf(event: FinetuneEvent | RestoredEvent): string {
  const { type, ...rest } = event;
  const history = type === 'resume' ? { history: undefined } : {};
  return textOf({ type, time: new Date().toISOString(), ...rest, ...history });
}

const RUN_IN_NAME = /-([0-9a-f]{8})\.gguf$/;

/** The lines of a log of the run that wrote this checkpoint, up to its step; none if the file is something else. */
function earlierLines(path: string, { step, path: checkpoint, history }: ResumeEvent): string[] {
  const [, run] = RUN_IN_NAME.exec(checkpoint) ?? [];
  if (run === undefined || isDevice(path)) return [];
  const events = eventsOf(path);
  if (!events.some((event) => runOf(event) === run)) return [];
  const kept = events.filter((event) => 'step' in event).filter((event) => event.step <= step);
  const missing = missingEvents(kept, history);
  const lines = kept.flatMap((event) => {
    const later = missing.findIndex((each) => each.step >= event.step);
    const before = missing.splice(0, later < 0 ? missing.length : later);
    return [...before.map(lineOf), textOf(event)];
  });
  return [...lines, ...missing.map(lineOf)];
}

/** The events of a history that a log does not have, in order. */
function missingEvents(
  logged: readonly { type: string; step: number; kind?: string }[],
  { losses, learningRates, evaluations, interventions }: StepHistory,
): RestoredEvent[] {
  const keyOf = (event: (typeof logged)[number]) => [event.type, event.step, event.kind].join(' ');
  const known = new Set(logged.map(keyOf));
  const restored = true as const;
  const all: RestoredEvent[] = [
    ...interventions.map((each) => ({ type: 'intervention' as const, restored, ...each })),
    ...Array.from(losses, (loss, i) => ({
      ...{ type: 'step' as const, restored, step: i + 1 },
      ...{ loss: Number.isNaN(loss) ? null : loss, learningRate: learningRates[i]! },
    })),
    ...evaluations.map((each) => ({ type: 'evaluation' as const, restored, ...each })),
  ];
  return all.filter((event) => !known.has(keyOf(event))).sort((x, y) => x.step - y.step);
}

/** The run that an event names, by the identity in the names of its checkpoints. */
function runOf(event: RunLogEvent): string | undefined {
  if (event.type === 'phase') return event.run;
  if (event.type !== 'checkpoint' && event.type !== 'resume') return undefined;
  return RUN_IN_NAME.exec(event.path)?.[1];
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

/** Converts typed arrays to arrays. */
function plainValue(_key: string, value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number>);
  return value;
}
