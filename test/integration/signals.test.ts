// How the command line ends: after a signal, with a closed standard output, without a folder for temporary files.
import { spawn } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { bench, finetuneLora, readRunLog } from '../../src/index.js';
import { folderPerTest } from '../folder-per-test.js';
import { jsonLines, llamatune, root } from './command-line.js';
import { tinyModel } from './tiny-model.js';

let model: string;
const at = folderPerTest();
beforeAll(async () => {
  model = await tinyModel();
});
beforeEach(() => {
  mkdirSync(at('temporary'));
  writeFileSync(at('train.jsonl'), '{"prompt":"a","completion":"b"}\n'.repeat(8));
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const temporary = (path = at('temporary')) => ({ TMPDIR: path, TMP: path, TEMP: path });
const finetune = (...args: string[]) => [
  ...['finetune', '--model', model, '--dataset', at('train.jsonl'), '--output', at('out.gguf')],
  ...['--sequenceLength', '32', '--batchSize', '4', '--threads', '1', '--loss', 'completion'],
  ...args,
];

/** Runs until the first step, sends the signals, and waits for the end. */
async function runAndSignal(signals: readonly NodeJS.Signals[], ...args: string[]) {
  let sent = false;
  return llamatune(finetune('--epochs', '1000000', '--json', ...args), {
    env: temporary(),
    onOutput(text, child) {
      if (sent || !text.includes('"type":"step"')) return;
      sent = true;
      expect(readdirSync(at('temporary'))).toHaveLength(1);
      for (const signal of signals) child.kill(signal);
    },
  });
}

describe.skipIf(process.platform === 'win32')('a signal', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s ends the run within a step with exit code %i', async (signal, code) => {
    const { exit, stdout, stderr } = await runAndSignal([signal]);
    expect({ exit, stderr }).toEqual({ exit: code, stderr: '' });
    expect(jsonLines(stdout).at(-1)).toMatchObject({ type: 'error', code: 'ABORTED' });
    expect(readdirSync(at('temporary'))).toEqual([]);
    expect(readdirSync(at()).sort()).toEqual(['out-log.jsonl', 'temporary', 'train.jsonl']);
  });

  it('sent twice exits immediately and leaves only the run log behind', async () => {
    const { exit } = await runAndSignal(['SIGTERM', 'SIGINT']);
    expect([130, 143]).toContain(exit);
    expect(readdirSync(at('temporary'))).toEqual([]);
    expect(readdirSync(at()).sort()).toEqual(['out-log.jsonl', 'temporary', 'train.jsonl']);
  });

  it('immediately ends a command that waits for its input', async () => {
    const main = join(root, 'dist/cli/main.js');
    const child = spawn(process.execPath, [main, 'generate', '--model', model]);
    const exit = new Promise((resolve) => child.on('exit', (code) => resolve(code)));
    // More than a pipe holds: all of it is written when the command has read some, and waits for the rest.
    await new Promise((resolve) => child.stdin.write('a'.repeat(1e6), resolve));
    child.kill('SIGTERM');
    expect(await exit).toBe(143);
  });
});

describe('temporary folders', () => {
  it('of killed processes are removed by the next run, and other files are kept', async () => {
    expect((await runAndSignal(['SIGKILL'])).exit).toBe(null);
    const [left] = readdirSync(at('temporary'));
    expect(left).toMatch(/^llamatune-/);
    // Not from llamatune: another name, no lock file, a link to another folder.
    const kept = ['llamatune-mine', 'llamatune-AbCdE1', 'other'];
    for (const name of kept) mkdirSync(at(`temporary/${name}`));
    mkdirSync(at('theirs'));
    writeFileSync(at('theirs/.lock'), '');
    symlinkSync(at('theirs'), at('temporary/llamatune-AbCdE2'), 'junction');

    for (const [name, value] of Object.entries(temporary())) vi.stubEnv(name, value);
    const short = { sequenceLength: 32, threads: 1, dataset: [{ text: 'abc' }] } as const;
    const run = finetuneLora({ ...short, model, output: at('b.gguf'), loss: 'all', epochs: 9999 });
    for await (const event of run) if (event.type === 'step') break;
    const during = readdirSync(at('temporary'));
    expect(during).not.toContain(left);
    expect(during).toHaveLength(kept.length + 2);
    // A second run must not remove the folder of the first, which is still running.
    await finetuneLora({ ...short, model, output: at('c.gguf'), loss: 'all' }).result;
    expect(readdirSync(at('temporary')).sort()).toEqual(during.sort());
    await run[Symbol.asyncDispose]();
    expect(readdirSync(at('temporary')).sort()).toEqual([...kept, 'llamatune-AbCdE2'].sort());
    expect(readdirSync(at('theirs'))).toEqual(['.lock']);
    expect(lstatSync(at('temporary/llamatune-AbCdE2')).isSymbolicLink()).toBe(true);
  });

  it('that cannot be made cause an error that names the folder and the variable', async () => {
    const missing = at('missing');
    const variable = process.platform === 'win32' ? 'TEMP' : 'TMPDIR';
    const expected = {
      code: 'TEMPORARY_FOLDER_NOT_WRITABLE',
      message: expect.stringContaining(missing),
      hint: expect.stringContaining(variable),
    };
    const { exit, stdout } = await llamatune(finetune('--json'), { env: temporary(missing) });
    expect(exit).toBe(1);
    const events = jsonLines(stdout);
    expect(events.at(-1)).toMatchObject(expected);
    expect(events.some((event) => event.phase === 'model')).toBe(false);

    for (const [name, value] of Object.entries(temporary(missing))) vi.stubEnv(name, value);
    const run = bench({ model, promptTokens: 0, generatedTokens: 0, training: { steps: 1 } });
    await expect(run.result).rejects.toMatchObject(expected);
  });
});

/** Runs a command and closes its outputs after the first bytes, as `| head` does. */
function closingOutput(args: string[], streams: ('stdout' | 'stderr')[]) {
  const child = spawn(process.execPath, [join(root, 'dist/cli/main.js'), ...args], { cwd: root });
  child.stdin.end();
  let text = '';
  child.stdout.once('data', () => {
    for (const stream of streams) child[stream].destroy();
  });
  child.stderr.setEncoding('utf8').on('data', (data: string) => {
    text += data;
  });
  return new Promise<{ exit: number | null; stderr: string }>((resolve) =>
    child.on('exit', (exit) => resolve({ exit, stderr: text })),
  );
}

describe('a closed standard output', () => {
  it.each([
    ['lines', ['stdout'], []],
    ['JSON', ['stdout'], ['--json']],
    ['lines, with standard error', ['stdout', 'stderr'], []],
  ] as const)('does not end finetune (%s)', async (_, streams, more) => {
    const args = finetune('--epochs', '40', '--runLog', at('run.jsonl'), ...more);
    const { exit, stderr } = await closingOutput(args, [...streams]);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(readFileSync(at('out.gguf')).subarray(0, 4).toString()).toBe('GGUF');
    expect(jsonLines(readFileSync(at('run.jsonl'), 'utf8')).at(-1)).toMatchObject({ type: 'done' });
  });

  it('ends generate quietly', async () => {
    const args = ['generate', '--model', model, '--prompt', 'a', '--maxTokens', '200'];
    const all = await closingOutput([...args, '--ignoreEos', '--json'], ['stdout']);
    expect(all).toEqual({ exit: 0, stderr: '' });
  });

  it('does not hide the error of a run', async () => {
    const args = finetune('--json', '--lora.targets', 'no_such_weight');
    const { exit, stderr } = await closingOutput(args, ['stdout']);
    expect({ exit, stderr }).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('error TARGET_UNKNOWN'),
    });
  });
});

describe.skipIf(process.platform === 'win32')('a full disk', () => {
  /** Runs the command through a shell. */
  async function shell(script: string, args: string[]) {
    const command = [process.execPath, join(root, 'dist/cli/main.js'), ...args];
    const child = spawn('sh', ['-c', script, 'sh', ...command]);
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (data: string) => {
      stderr += data;
    });
    child.stdout.resume();
    const exit = await new Promise((resolve) => child.on('close', resolve));
    return { exit, stderr };
  }
  const lost = { exit: 1, stderr: expect.stringMatching(/OUTPUT_NOT_WRITABLE: /) };

  it.skipIf(!existsSync('/dev/full'))('for standard output makes the exit code 1', async () => {
    expect(await shell('"$@" >/dev/full', finetune())).toMatchObject(lost);
    expect(existsSync(at('out.gguf'))).toBe(true);
    // also of a command that ends right after its only write
    expect(await shell('"$@" >/dev/full', ['--version'])).toMatchObject(lost);
  });

  const warned = expect.stringMatching(
    /^warning OUTPUT_NOT_WRITABLE: .*run log.*continues without/m,
  );

  it('for the run log loses the rest of the log but not the adapter', async () => {
    // A limit on the size of files, which a log of 1000 steps exceeds and a small adapter does not.
    const args = finetune('--epochs', '500', '--lora.rank', '1');
    const { exit, stderr } = await shell('ulimit -f 200; "$@"', args);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: warned });
    expect(readFileSync(at('out.gguf')).subarray(0, 4).toString()).toBe('GGUF');
    expect(readRunLog(at('out-log.jsonl')).events.length).toBeGreaterThan(100);
    expect(existsSync(`${at('out-log.jsonl')}.llamatune-lock`)).toBe(false);
  });

  it.skipIf(!existsSync('/dev/full'))(
    'for the run log from the start is a warning too',
    async () => {
      const { exit, stderr } = await shell('"$@" --runLog /dev/full', finetune());
      expect({ exit, stderr }).toEqual({ exit: 0, stderr: warned });
      expect(existsSync(at('out.gguf'))).toBe(true);
    },
  );
});
