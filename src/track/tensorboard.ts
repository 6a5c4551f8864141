import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { LlamatuneError } from '../errors.js';
import { expertUse } from '../expert-use.js';
import type { FinetuneEvent } from '../finetune/events.js';
import { record, type Scalar, scalarEvent, versionEvent } from './event-file.js';
import type { Tracker } from './tracker.js';

/** Writes the numbers of a run to an event file in a folder of TensorBoard. */
export class TensorBoardTracker implements Tracker {
  readonly #folder: string;
  readonly #now: () => Date;
  #file: number | undefined;

  /** @param now the clock, for tests */
  constructor(folder: string, now = () => new Date()) {
    this.#folder = folder;
    this.#now = now;
  }

  /** @throws LlamatuneError OUTPUT_NOT_WRITABLE */
  write(event: FinetuneEvent): void {
    const point = pointOf(event);
    if (point === undefined) return;
    const time = this.#now();
    this.#attempt(() => {
      this.#file ??= createFile(this.#folder, time);
      writeAll(this.#file, record(scalarEvent(time, point.step, point.scalars)));
    });
  }

  /** @throws LlamatuneError OUTPUT_NOT_WRITABLE */
  close(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    this.#attempt(() => {
      try {
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
    });
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (cause) {
      throw new LlamatuneError(
        'OUTPUT_NOT_WRITABLE',
        `cannot write the TensorBoard file in '${this.#folder}': ${(cause as Error).message}`,
        { hint: 'choose another folder, or check permissions and free space', cause },
      );
    }
  }
}

/** A new file, which TensorBoard finds by its name, with the first event. */
function createFile(folder: string, time: Date): number {
  const seconds = Math.floor(time.getTime() / 1000);
  for (let count = 0; ; count++) {
    const name = `events.out.tfevents.${seconds}.llamatune.${process.pid}.${count}`;
    try {
      const file = openSync(join(folder, name), 'wx');
      writeAll(file, record(versionEvent(time)));
      return file;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

function writeAll(file: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

/** The numbers of an event that were measured; undefined if it has none. */
function pointOf(event: FinetuneEvent): { step: number; scalars: Scalar[] } | undefined {
  switch (event.type) {
    case 'step':
      return {
        step: event.step,
        scalars: [
          ...scalarsOf('train', {
            ...{ loss: event.loss, ...event.metrics },
            ...{ learningRate: event.learningRate, gradientNorm: event.gradientNorm },
            ...{ tokensPerSecond: event.tokensPerSecond, stepMs: event.stepMs },
            ...{ memoryBytes: event.memoryBytes, epoch: event.epoch },
          }),
          ...expertScalars(event.experts),
        ],
      };
    case 'evaluation':
      return {
        step: event.step,
        scalars: scalarsOf('validation', { loss: event.loss, ...event.metrics }),
      };
    case 'epoch':
      return {
        step: event.step,
        scalars: scalarsOf('epoch', { loss: event.loss, ...event.metrics }),
      };
    default:
      return undefined;
  }
}

/** How evenly the tokens of a step used the experts of each layer. */
const expertScalars = (layers: Extract<FinetuneEvent, { type: 'step' }>['experts']): Scalar[] =>
  (layers ?? []).flatMap((layer) => {
    const use = expertUse(layer);
    if (use === null) return [];
    const { entropy, dead, mostUsed, leastUsed } = use;
    return scalarsOf(`experts/layer ${layer.layer}`, { entropy, dead, mostUsed, leastUsed });
  });

const scalarsOf = (group: string, values: Readonly<Record<string, number | null>>): Scalar[] =>
  Object.entries(values).flatMap(([name, value]) =>
    value === null ? [] : [{ tag: `${group}/${name}`, value }],
  );
