import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TensorBoardTracker } from '../../../src/track/tensorboard.js';
import { folderPerTest } from '../../folder-per-test.js';
import { events } from './events.js';

/** A file that the tracker wrote, and what TensorBoard read in it: tools/tensorboard/read.py. */
const recorded = JSON.parse(readFileSync(new URL('tensorboard.json', import.meta.url), 'utf8')) as {
  file: string;
  scalars: Record<string, [step: number, value: number][]>;
};

const at = folderPerTest();
const now = () => new Date('2026-01-02T03:04:05.678Z');

function write(folder = at('.')): string {
  const tracker = new TensorBoardTracker(folder, now);
  for (const event of events) tracker.write(event);
  tracker.close();
  tracker.close();
  return readdirSync(folder).at(-1)!;
}

describe('TensorBoardTracker', () => {
  it('writes the file that TensorBoard has read', () => {
    const name = write();
    expect(name).toMatch(/^events\.out\.tfevents\.1767323045\.llamatune\.\d+\.0$/);
    expect(readFileSync(at(name)).toString('base64')).toBe(recorded.file);
  });

  it('writes how evenly the tokens of a step used the experts of each layer', () => {
    const tracker = new TensorBoardTracker(at('.'), now);
    const experts = [{ layer: 3, counts: [4, 0] }];
    for (const event of events)
      tracker.write(event.type === 'step' ? { ...event, experts } : event);
    tracker.close();
    const text = readFileSync(at(readdirSync(at('.')).at(-1)!), 'latin1');
    for (const name of ['entropy', 'dead', 'mostUsed', 'leastUsed'])
      expect(text.split(`experts/layer 3/${name}`)).toHaveLength(4);
  });

  it('the file has every number that was measured, at its step', () => {
    expect(recorded.scalars['train/loss']).toEqual([
      [1, 2],
      [2, 1],
      [300, expect.closeTo(2 / 300, 8)],
    ]);
    expect(recorded.scalars['train/tokenAccuracy']!.map(([step]) => step)).toEqual([2, 300]);
    expect(recorded.scalars['train/memoryBytes']![0]).toEqual([1, 3e9]);
    expect(recorded.scalars['validation/tokenAccuracy']).toEqual([[300, 0.75]]);
    expect(Object.keys(recorded.scalars)).toHaveLength(10);
  });

  it('never writes to a file that is there, and writes none before there is a number', () => {
    const first = write();
    const bytes = readFileSync(at(first));
    expect(write()).not.toBe(first);
    expect(readFileSync(at(first))).toEqual(bytes);
    const unused = new TensorBoardTracker(at('.'), now);
    unused.write(events[0]!);
    unused.close();
    expect(readdirSync(at('.'))).toHaveLength(2);
  });

  it('reports a folder that has vanished', () => {
    const folder = at('gone');
    rmSync(folder, { recursive: true, force: true });
    const tracker = new TensorBoardTracker(folder, now);
    expect(() => tracker.write(events[1]!)).toThrowError(
      expect.objectContaining({
        code: 'OUTPUT_NOT_WRITABLE',
        message: expect.stringContaining(join(folder)),
      }),
    );
  });
});
