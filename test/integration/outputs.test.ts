// Outputs: a call never overwrites an input, never writes to the output of another run, and never leaves half a file.
import {
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  createModel,
  type FinetuneOptions,
  finetuneLora,
  LlamatuneError,
  quantizeModel,
} from '../../src/index.js';
import { folderPerTest } from '../folder-per-test.js';
import { llamatune } from './command-line.js';
import { tinyModel, tinyOptions } from './tiny-model.js';

let source: string;
const at = folderPerTest();
beforeAll(async () => {
  source = await tinyModel();
});
beforeEach(() => {
  copyFileSync(source, at('model.gguf'));
  const rows = Array.from({ length: 8 }, (_, i) => ({ prompt: `${i}?`, completion: ` ${i + 1}` }));
  writeFileSync(at('train.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
});

const quick = (more: Partial<FinetuneOptions> = {}): FinetuneOptions => ({
  model: at('model.gguf'),
  dataset: at('train.jsonl'),
  output: at('adapter.gguf'),
  sequenceLength: 32,
  batchSize: 4,
  threads: 1,
  modelCard: false,
  runLog: false,
  ...more,
});

async function failure(work: Promise<unknown>): Promise<LlamatuneError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(LlamatuneError);
  return error as LlamatuneError;
}

const isGguf = (path: string) => readFileSync(path).subarray(0, 4).toString() === 'GGUF';

describe('an output that is an input', () => {
  it('is refused by finetuneLora before the model is read, and the input stays', async () => {
    const before = readFileSync(at('model.gguf'));
    const run = finetuneLora(quick({ output: at('model.gguf') }));
    const phases: string[] = [];
    const follow = async () => {
      for await (const event of run) phases.push(event.type === 'phase' ? event.phase : event.type);
    };
    expect(await failure(follow())).toMatchObject({
      code: 'OUTPUT_CONFLICT',
      problems: [{ path: 'output' }],
    });
    expect(phases).toEqual(['validate']);
    expect(readFileSync(at('model.gguf')).equals(before)).toBe(true);
    expect(readdirSync(at()).sort()).toEqual(['model.gguf', 'train.jsonl']);
  });

  it('is refused if a slash at its end says that it is a folder', async () => {
    expect(await failure(finetuneLora(quick({ output: at('new/') })).result)).toMatchObject({
      code: 'OUTPUT_NOT_WRITABLE',
      message: expect.stringContaining('it is a folder'),
    });
    expect(existsSync(at('new'))).toBe(false);
  });

  it('is refused by quantizeModel and createModel', async () => {
    linkSync(at('model.gguf'), at('same.gguf'));
    for (const output of [at('model.gguf'), at('same.gguf')]) {
      const input = at('model.gguf');
      const vocabulary = { from: input };
      expect((await failure(quantizeModel({ input, output }))).code).toBe('OUTPUT_CONFLICT');
      expect((await failure(createModel({ ...tinyOptions, vocabulary, path: output }))).code).toBe(
        'OUTPUT_CONFLICT',
      );
    }
    expect(readFileSync(at('model.gguf')).equals(readFileSync(source))).toBe(true);
  });

  it('is never a run log, and neither is the output', async () => {
    const more = { checkpoint: { directory: at('checkpoints') } };
    for (const name of [
      'model.gguf',
      'train.jsonl',
      'adapter.gguf',
      'checkpoints/checkpoint-3.gguf',
    ]) {
      expect(
        await failure(finetuneLora(quick({ ...more, runLog: at(name) })).result),
      ).toMatchObject({
        code: 'OUTPUT_CONFLICT',
        problems: [{ path: 'runLog' }],
      });
    }
    const rows = at('adapter-log.jsonl');
    copyFileSync(at('train.jsonl'), rows);
    const { warnings } = await finetuneLora(quick({ dataset: rows, runLog: undefined })).result;
    expect(warnings).toMatchObject([
      {
        code: 'OUTPUT_CONFLICT',
        message: expect.stringContaining("adapter-log.jsonl': it is the dataset"),
      },
    ]);
    expect(readFileSync(rows, 'utf8')).toContain('prompt');
  });

  it('is refused if the picture of --lossCurve is that of the model card', async () => {
    const args = [
      ...['finetune', '--model', at('model.gguf'), '--dataset', at('train.jsonl'), '--loss'],
      ...['completion', '--sequenceLength', '32', '--threads', '1', '--output', at('adapter.gguf')],
      ...['--no-runLog', '--lossCurve', at('adapter-loss.svg')],
    ];
    expect(await llamatune(args)).toMatchObject({
      exit: 1,
      stderr: expect.stringMatching(/^error OUTPUT_CONFLICT: .*adapter-loss.svg.*modelCard/),
    });
    expect((await llamatune([...args, '--no-modelCard'])).exit).toBe(0);
    expect(readdirSync(at()).sort()).toEqual([
      ...['adapter-loss.svg', 'adapter.gguf', 'model.gguf', 'train.jsonl'],
    ]);
  });

  it('is refused by the command line for each of its own files, all at once', async () => {
    const config = at('config.html');
    const text = JSON.stringify(quick({ output: at('train.jsonl') }));
    writeFileSync(config, text);
    const { exit, stderr, stdout } = await llamatune([
      ...['finetune', '--config', config, '--lossCurve', config],
      ...['--runLog', at('model.gguf')],
    ]);
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: '' });
    expect(stderr).toContain('error OUTPUT_CONFLICT: 3 files or folders cannot be used:');
    for (const line of ['output: .* the dataset', 'runLog: .* the model', 'lossCurve: .*config']) {
      expect(stderr).toMatch(new RegExp(`^  ${line}.*`, 'm'));
    }
    expect(readFileSync(config, 'utf8')).toBe(text);
    expect(isGguf(at('model.gguf'))).toBe(true);
    expect(readFileSync(at('train.jsonl'), 'utf8')).toContain('prompt');
  });

  it('is refused by llamatune bench', async () => {
    copyFileSync(source, at('model.json'));
    const args = ['bench', '--model', at('model.json'), '--report', at('model.json')];
    expect(await llamatune(args)).toMatchObject({
      exit: 1,
      stderr: expect.stringMatching(/^error OUTPUT_CONFLICT: .*the model/),
    });
    expect(isGguf(at('model.json'))).toBe(true);
  });
});

describe('an output that is a symbolic link', () => {
  it.skipIf(process.platform === 'win32')('is kept by every writer', async () => {
    mkdirSync(at('real'));
    for (const name of ['adapter.gguf', 'q.gguf', 'new.gguf', 'run.jsonl', 'loss.svg']) {
      symlinkSync(join('real', name), at(name));
    }
    await quantizeModel({ input: at('model.gguf'), output: at('q.gguf') });
    await createModel({ ...tinyOptions, path: at('new.gguf') });
    const { exit } = await llamatune([
      ...['finetune', '--model', at('model.gguf'), '--dataset', at('train.jsonl')],
      ...['--output', at('adapter.gguf'), '--sequenceLength', '32', '--threads', '1'],
      ...['--loss', 'completion', '--runLog', at('run.jsonl'), '--lossCurve', at('loss.svg')],
    ]);
    expect(exit).toBe(0);
    for (const name of ['adapter.gguf', 'q.gguf', 'new.gguf', 'run.jsonl', 'loss.svg']) {
      expect(lstatSync(at(name)).isSymbolicLink(), name).toBe(true);
      expect(lstatSync(at(`real/${name}`)).isFile(), name).toBe(true);
    }
    expect(readdirSync(at('real'))).toHaveLength(5);
  });
});

/** Starts a run and resolves after its first step. */
async function started(options: FinetuneOptions) {
  const run = finetuneLora(options);
  for await (const event of run) if (event.type === 'step') break;
  return run;
}

describe('a run that is refused', () => {
  it.each([
    ['by its options', ['--sequenceLength', '32', '--lora.targets', 'bogus'], 'TARGET_UNKNOWN'],
    ['by its dataset', ['--sequenceLength', '4'], 'SAMPLE_TOO_LONG'],
    ['by an output in use', ['--sequenceLength', '32'], 'OUTPUT_IN_USE'],
  ] as const)('%s leaves all existing outputs as they were', async (_, more, code) => {
    const names = ['adapter.gguf', 'run.jsonl', 'loss.svg'];
    for (const name of names) writeFileSync(at(name), `an earlier ${name}`);
    const other =
      code === 'OUTPUT_IN_USE'
        ? await started(quick({ epochs: 100000, loss: 'completion' }))
        : undefined;
    const { exit, stderr } = await llamatune([
      ...['finetune', '--model', at('model.gguf'), '--dataset', at('train.jsonl')],
      ...['--output', at('adapter.gguf'), '--loss', 'completion', '--threads', '1'],
      ...['--runLog', at('run.jsonl'), '--lossCurve', at('loss.svg'), ...more],
    ]);
    other?.abort();
    await other?.result.catch(() => {});
    expect({ exit, stderr }).toMatchObject({ exit: 1, stderr: expect.stringContaining(code) });
    for (const name of names) expect(readFileSync(at(name), 'utf8')).toBe(`an earlier ${name}`);
    expect(readdirSync(at()).sort()).toEqual([...names, 'model.gguf', 'train.jsonl'].sort());
  });
});

describe('two runs with one output', () => {
  it('in one process: the second run is refused, and the first one continues', async () => {
    const long = quick({ epochs: 500, checkpoint: { directory: at('checkpoints') } });
    const first = await started(long);
    const same = await failure(finetuneLora(quick()).result);
    expect(same).toMatchObject({ code: 'OUTPUT_IN_USE', problems: [{ path: 'output' }] });
    expect(same.message).toContain('another run in this process');
    const checkpoints = quick({
      output: at('b.gguf'),
      checkpoint: { directory: at('checkpoints') },
    });
    expect(await failure(finetuneLora(checkpoints).result)).toMatchObject({
      code: 'OUTPUT_IN_USE',
      problems: [{ path: 'checkpoint.directory' }],
    });
    const quantize = quantizeModel({ input: at('model.gguf'), output: at('adapter.gguf') });
    expect((await failure(quantize)).code).toBe('OUTPUT_IN_USE');
    await finetuneLora(quick({ output: at('c.gguf') })).result;

    first.abort();
    expect((await failure(first.result)).code).toBe('ABORTED');
    await finetuneLora({ ...long, epochs: 1 }).result;
    expect(readdirSync(at()).filter((name) => name.includes('llamatune'))).toEqual([]);
    expect(readdirSync(at('checkpoints')).filter((name) => name.includes('lock'))).toEqual([]);
  });

  it('are detected if one output is named like a checkpoint of the other run', async () => {
    mkdirSync(at('checkpoints'));
    const config = quick({ checkpoint: { directory: at('checkpoints'), everySteps: 100_000 } });
    const inFolder = at('checkpoints/checkpoint-3.gguf');
    const refused = { code: 'OUTPUT_IN_USE', message: expect.stringContaining('another run') };

    const first = await started({ ...config, epochs: 500 });
    for (const output of [inFolder, at('checkpoints/./checkpoint-10000.gguf')]) {
      expect(await failure(finetuneLora(quick({ output })).result)).toMatchObject(refused);
      const quantize = quantizeModel({ input: at('model.gguf'), output });
      expect(await failure(quantize)).toMatchObject(refused);
    }
    await finetuneLora(quick({ output: at('checkpoints/other.gguf') })).result;
    first.abort();
    await failure(first.result);

    const second = await started(quick({ output: inFolder, epochs: 500 }));
    const third = await failure(finetuneLora(config).result);
    expect(third).toMatchObject({ ...refused, problems: [{ path: 'checkpoint.directory' }] });
    second.abort();
    await failure(second.result);
    await finetuneLora(config).result;
    expect(existsSync(inFolder)).toBe(false);
    // the aborted run has left a checkpoint, which does not have the name of an output
    const others = readdirSync(at('checkpoints')).filter((name) => !/^checkpoint-\d+-/.test(name));
    expect(others).toEqual(['other.gguf']);
  });

  it('are detected for run logs', async () => {
    const first = await started(quick({ epochs: 500, runLog: at('run.jsonl') }));
    const second = finetuneLora(quick({ output: at('b.gguf'), runLog: at('run.jsonl') }));
    expect(await failure(second.result)).toMatchObject({
      code: 'OUTPUT_IN_USE',
      problems: [{ path: 'runLog' }],
    });
    first.abort();
    await failure(first.result);
    expect(existsSync(`${at('run.jsonl')}.llamatune-lock`)).toBe(false);
  });

  it('are detected between processes, and a killed run does not block the next one', async () => {
    const args = [
      ...['finetune', '--model', at('model.gguf'), '--dataset', at('train.jsonl')],
      ...['--output', at('adapter.gguf'), '--sequenceLength', '32', '--threads', '1', '--json'],
      ...[
        '--loss',
        'completion',
        '--checkpoint.directory',
        at('checkpoints'),
        '--epochs',
        '100000',
      ],
    ];
    let refused: Promise<LlamatuneError> | undefined;
    const { exit } = await llamatune(args, {
      onOutput(text, child) {
        if (refused !== undefined || !text.includes('"type":"step"')) return;
        refused = failure(finetuneLora(quick()).result);
        refused.finally(() => child.kill('SIGKILL'));
      },
    });
    expect(exit).toBe(null);
    const error = await refused;
    expect(error).toMatchObject({ code: 'OUTPUT_IN_USE' });
    if (process.platform !== 'win32') expect(error?.message).toMatch(/process \d+/);

    // Temporary files of a killed writer are removed; similar files of the user are kept.
    const kept = ['adapter.gguf.tmp', 'checkpoint-1.gguf.bak'];
    writeFileSync(at('adapter.gguf.llamatune-tmp-4711-0'), 'half');
    writeFileSync(at(`checkpoints/checkpoint-5.gguf.llamatune-tmp-4711-1`), 'half');
    writeFileSync(at(kept[0]!), 'mine');
    writeFileSync(at(`checkpoints/${kept[1]}`), 'mine');
    const next = quick({ checkpoint: { directory: at('checkpoints') }, runLog: undefined });
    await finetuneLora(next).result;
    const logs = ['adapter-log-1.jsonl', 'adapter-log.jsonl'];
    expect(readdirSync(at()).sort()).toEqual(
      ['adapter.gguf', ...logs, kept[0], 'checkpoints', 'model.gguf', 'train.jsonl'].sort(),
    );
    expect(readdirSync(at('checkpoints'))).toEqual([kept[1]]);
    expect(isGguf(at('adapter.gguf'))).toBe(true);
  });
});
