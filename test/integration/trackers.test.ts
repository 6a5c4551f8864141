import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type FinetuneEvent, type FinetuneOptions, finetune } from '../../src/index.js';
import { folderPerTest } from '../folder-per-test.js';
import { jsonLines, llamatune } from './command-line.js';
import { tinyModel } from './tiny-model.js';

let model: string;
beforeAll(async () => {
  model = await tinyModel();
});
const at = folderPerTest();
const dataset = Array.from({ length: 8 }, (_, i) => ({ prompt: `${i}?`, completion: ` ${i + 1}` }));
const quick = (more: Partial<FinetuneOptions>): FinetuneOptions => ({
  ...{ model, dataset, output: at('adapter.gguf'), sequenceLength: 32, batchSize: 4, threads: 1 },
  ...more,
});

describe('trackers', () => {
  it('onEvent gets the events that an iterator gets', async () => {
    const seen: FinetuneEvent[] = [];
    const run = finetune(quick({ onEvent: (event) => void seen.push(event) }));
    const events: FinetuneEvent[] = [];
    for await (const event of run) events.push(event);
    expect(seen).toEqual(events);
    expect(seen.filter(({ type }) => type === 'step')).toHaveLength(2);
  });

  it('an onEvent that fails does not end the run', async () => {
    const { warnings, steps } = await finetune(
      quick({
        onEvent: (event) => {
          if (event.type === 'step') throw new Error('no network');
        },
      }),
    ).result;
    expect(steps).toBe(2);
    expect(warnings).toMatchObject([{ code: 'EVENT_SINK_FAILED' }]);
  });

  it('TensorBoard files are added to a folder, one per run', async () => {
    const tensorboard = at('runs/first');
    for (let i = 0; i < 2; i++) await finetune(quick({ tensorboard, epochs: 2 })).result;
    const names = readdirSync(tensorboard);
    expect(names).toHaveLength(2);
    for (const name of names) {
      expect(name).toMatch(/^events\.out\.tfevents\./);
      const text = readFileSync(`${tensorboard}/${name}`, 'latin1');
      expect(text.match(/train\/loss/g)).toHaveLength(4);
      expect(text.match(/epoch\/tokenAccuracy/g)).toHaveLength(2);
    }
  });

  it('a file in the place of the folder is refused before the training', async () => {
    writeFileSync(at('runs'), 'mine');
    const refused = finetune(quick({ tensorboard: at('runs') })).result;
    await expect(refused).rejects.toMatchObject({
      code: 'OUTPUT_NOT_WRITABLE',
      problems: [{ path: 'tensorboard' }],
    });
    expect(readFileSync(at('runs'), 'utf8')).toBe('mine');
  });

  it('the command line has the option too', async () => {
    writeFileSync(at('train.jsonl'), dataset.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const { exit, stdout } = await llamatune([
      ...['finetune', '--model', model, '--dataset', at('train.jsonl'), '--threads', '1', '--json'],
      ...['--output', at('adapter.gguf'), '--sequenceLength', '32', '--tensorboard', at('runs')],
    ]);
    expect(exit).toBe(0);
    expect(jsonLines(stdout).at(-1)).toMatchObject({ type: 'done' });
    expect(readdirSync(at('runs'))).toHaveLength(1);
  });
});
