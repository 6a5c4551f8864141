import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type FinetuneEvent, type FinetuneOptions, finetune, readRunLog } from '../../src/index.js';
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

describe('the run log', () => {
  it('is written next to the output of each run, and an earlier one stays', async () => {
    const first = await finetune(quick({ lora: { rank: 2 } })).result;
    expect(first.runLog).toBe(at('adapter-log.jsonl'));
    const { header, events } = readRunLog(at('adapter-log.jsonl'));
    expect(header.config).toMatchObject({ model, lora: { rank: 2 }, seed: 42 });
    expect(header.config).not.toHaveProperty('dataset'); // rows from memory
    expect(Object.keys(header.versions)).toContain('llama.cpp');
    expect(events.filter(({ type }) => type === 'step')).toHaveLength(2);
    expect(events.at(-1)).toMatchObject({ type: 'done', result: { runLog: first.runLog } });

    await finetune(quick({ lora: { rank: 4 } })).result;
    expect(readRunLog(at('adapter-log.jsonl')).header.config).toMatchObject({ lora: { rank: 4 } });
    expect(readRunLog(at('adapter-log-1.jsonl')).header.config).toMatchObject({
      lora: { rank: 2 },
    });
  });

  it('can be turned off, or be another file', async () => {
    expect((await finetune(quick({ runLog: false })).result).runLog).toBeNull();
    expect((await finetune(quick({ runLog: at('other.jsonl') })).result).runLog).toBe(
      at('other.jsonl'),
    );
    expect(readdirSync(at('.')).filter((name) => name.endsWith('jsonl'))).toEqual(['other.jsonl']);
  });

  it('of a run that is resumed continues', async () => {
    const more = { epochs: 4, checkpoint: { directory: at('checkpoints') } };
    const run = finetune(quick(more));
    const stop = async () => {
      for await (const event of run) if (event.type === 'step' && event.step === 3) run.abort();
    };
    await expect(stop()).rejects.toMatchObject({ code: 'ABORTED' });
    await finetune(quick({ ...more, checkpoint: { ...more.checkpoint, resume: 'auto' } })).result;
    const { events } = readRunLog(at('adapter-log.jsonl'));
    const steps = events.flatMap((event) => (event.type === 'step' ? [event.step] : []));
    expect(steps).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(readdirSync(at('.')).filter((name) => name.endsWith('jsonl'))).toHaveLength(1);
  });

  it('of a run that is resumed gets the steps that a killed process had not logged yet', async () => {
    const checkpoint = { directory: at('checkpoints'), everySteps: 1 };
    const validation = { dataset: dataset.slice(0, 2), everySteps: 2 };
    const more = { epochs: 4, checkpoint, validation };
    const run = finetune(quick(more));
    const stop = async () => {
      for await (const event of run) if (event.type === 'step' && event.step === 5) run.abort();
    };
    await expect(stop()).rejects.toMatchObject({ code: 'ABORTED' });
    // The checkpoint of step 5 is on disk, and the log ends with the checkpoint of step 3.
    const lines = readFileSync(at('adapter-log.jsonl'), 'utf8').split('\n');
    const third = lines.findIndex((line) => /"checkpoint".*"step":3/.test(line));
    writeFileSync(at('adapter-log.jsonl'), `${lines.slice(0, third + 1).join('\n')}\n{"type":"st`);
    const resume = 'auto' as const;
    const { losses, learningRates } = await finetune(
      quick({ ...more, checkpoint: { ...checkpoint, resume } }),
    ).result;
    const { events } = readRunLog(at('adapter-log.jsonl'));
    const steps = events.filter((event) => event.type === 'step');
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(steps.map(({ loss }) => loss)).toEqual([...losses]);
    expect(steps.map(({ learningRate }) => learningRate)).toEqual([...learningRates]);
    const restored = events.filter((event) => 'restored' in event);
    expect(restored.map(({ type, step }) => [type, step])).toEqual([
      ['step', 4],
      ['evaluation', 4],
      ['step', 5],
    ]);
    const evaluated = events.filter((event) => event.type === 'evaluation');
    expect(evaluated.map(({ step }) => step)).toEqual([2, 4, 6, 8]);
    expect(events.find(({ type }) => type === 'resume')).not.toHaveProperty('history');
  });

  it.skipIf(!existsSync('/dev/full'))('is a warning if it cannot be written', async () => {
    const { steps, warnings } = await finetune(quick({ runLog: '/dev/full' })).result;
    expect(steps).toBe(2);
    expect(warnings).toMatchObject([
      {
        code: 'OUTPUT_NOT_WRITABLE',
        message: expect.stringMatching(/run log '\/dev\/full'.*ENOSPC.*continues without it/),
      },
    ]);
  });
});

describe('a folder in the place of the run log', () => {
  const message = expect.stringMatching(/adapter-log\.jsonl': it is a folder; the run continues/);
  const warning = { code: 'OUTPUT_NOT_WRITABLE', message };

  it('is a warning if the path is the default', async () => {
    mkdirSync(at('adapter-log.jsonl'));
    const run = finetune(quick({}));
    const events: FinetuneEvent[] = [];
    for await (const event of run) events.push(event);
    const { steps, runLog, warnings } = await run.result;
    expect({ steps, runLog, warnings }).toEqual({ steps: 2, runLog: null, warnings: [warning] });
    expect(events.filter(({ type }) => type === 'warning')).toEqual([
      { type: 'warning', ...warning },
    ]);
    expect(readdirSync(at('adapter-log.jsonl'))).toEqual([]);

    writeFileSync(at('train.jsonl'), dataset.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const { exit, stderr } = await llamatune([
      ...['finetune', '--model', model, '--dataset', at('train.jsonl'), '--threads', '1'],
      ...['--output', at('adapter.gguf'), '--sequenceLength', '32'],
    ]);
    expect(stderr).toMatch(/adapter-log\.jsonl': it is a folder; the run continues without it/);
    expect(exit).toBe(0);
  });

  it('is refused if the path is given', async () => {
    mkdirSync(at('adapter-log.jsonl'));
    const refused = finetune(quick({ runLog: at('adapter-log.jsonl') })).result;
    await expect(refused).rejects.toMatchObject({
      code: 'OUTPUT_NOT_WRITABLE',
      message: expect.stringMatching(/adapter-log\.jsonl': it is a folder$/),
      problems: [{ path: 'runLog' }],
    });
    expect(existsSync(at('adapter.gguf'))).toBe(false);
  });
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
