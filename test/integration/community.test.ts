import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { submitCommand } from '../../src/cli/bench-submit.js';
import type { CliIo } from '../../src/cli/io.js';
import { countTokens } from '../../src/index.js';
import { jsonLines, llamatune } from './command-line.js';
import { tinyModel } from './tiny-model.js';

// Trials run in processes of their own, which need JavaScript: the build, not the sources.
const build = new URL('../../dist/index.js', import.meta.url).href;
const { runSuite } = (await import(build)) as typeof import('../../src/index.js');

const folder = mkdtempSync(join(tmpdir(), 'community-test-'));
const results = join(folder, 'results');
const community = join(folder, 'community');
const submission = join(community, 'test-machine');
let model: string;

beforeAll(async () => {
  model = await tinyModel();
  const prompt = `Written by ${userInfo().username}@${hostname()}`;
  await runSuite({
    suite: {
      name: 'tiny',
      models: [model],
      weightTypes: ['as-is', 'Q8_0'],
      measurePeak: false,
      benchmarks: [
        { task: 'inference', prompt, runs: 3, options: { maxTokens: 8, threads: 1 } },
        {
          task: 'training',
          steps: 3,
          options: { sequenceLength: 32, batchSize: 2, threads: 1 },
        },
      ],
    },
    output: results,
    modelCache: join(folder, 'models'),
  }).result;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const submit = (...args: string[]) =>
  llamatune([
    ...['bench', 'submit', results, '--output', community, '--name', 'test-machine'],
    ...args,
  ]);

describe('llamatune bench submit', () => {
  it('shows what it would write, and writes nothing without an answer', async () => {
    const { exit, stdout, stderr } = await submit();
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: '' });
    expect(stderr).toContain('error SUBMISSION_NOT_CONFIRMED');
    expect(stderr).toContain('README.md');
    expect(stderr).toContain(`- ${model}\n+ `);
    expect(existsSync(community)).toBe(false);
  });

  /** The command on a terminal where somebody types `answer`. */
  async function answered(answer: string, name: string): Promise<string> {
    const output = new PassThrough();
    const stdin = new PassThrough();
    let text = '';
    output.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (/\[y\/N\] $/.test(text)) stdin.write(`${answer}\n`);
    });
    const terminal = <T extends object>(stream: T) => Object.assign(stream, { isTTY: true });
    const none = new AbortController().signal;
    const io: CliIo = {
      stdin: terminal(stdin),
      stdout: new PassThrough().resume(),
      stderr: terminal(output),
      env: {},
      signal: none,
      outputClosed: none,
    };
    await submitCommand([results, '--output', join(folder, 'asked'), '--name', name], io);
    return text;
  }

  it('asks on a terminal', async () => {
    expect(await answered('n', 'refused')).toContain('nothing was written');
    expect(existsSync(join(folder, 'asked'))).toBe(false);
    await answered('y', 'accepted');
    expect(readdirSync(join(folder, 'asked'))).toEqual(['accepted']);
  });

  it('writes a folder without names of this machine, and never replaces it', async () => {
    const { exit, stdout } = await submit('--yes', '--json');
    expect(exit).toBe(0);
    const [plan, done] = jsonLines(stdout);
    expect(plan).toMatchObject({ type: 'submission', folder: submission });
    expect(done).toMatchObject({ type: 'done' });
    expect(readdirSync(submission).sort()).toEqual(
      expect.arrayContaining(['README.md', 'charts', 'logs', 'results.json', 'suite.json']),
    );
    expect(readdirSync(join(submission, 'logs'))).toHaveLength(4);
    for (const file of done!.files as string[]) {
      const text = readFileSync(file, 'utf8');
      expect(text).not.toContain(`${userInfo().username}@`);
      expect(text).not.toContain(folder);
      expect(text).not.toContain(model);
    }
    expect(readFileSync(join(submission, 'results.json'), 'utf8')).toContain(
      'Written by user@host',
    );
    const again = await submit('--yes');
    expect(again).toMatchObject({ exit: 1 });
    expect(again.stderr).toContain('error SUBMISSION_EXISTS');
  });

  it('measured a suite that can be run again from its folder', async () => {
    const { stderr } = await llamatune([
      ...['bench', '--suite', join(submission, 'suite.json'), '--dryRun'],
    ]);
    // the model is named without its folder: whoever runs the suite has another one
    expect(stderr).toContain("error MODEL_NOT_FOUND: the model 'tiny-f32.gguf' was not found");
  });
});

describe('llamatune bench table', () => {
  it.each([
    ['text', '│ Peak t/s'],
    ['markdown', '| Peak t/s |'],
    ['html', '<td class="left">Peak t/s</td>'],
    ['json', '"text": "Peak t/s"'],
  ])('writes %s', async (format, expected) => {
    const { exit, stdout, stderr } = await llamatune([
      ...['bench', 'table', community, '--format', format],
    ]);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(stdout).toContain(expected);
    expect(stdout).toContain('test-machine (Q8');
    expect(stdout.toLowerCase()).toContain('hardware specifications');
  });

  it('refuses other formats and folders without submissions', async () => {
    expect(await llamatune(['bench', 'table', community, '--format', 'pdf'])).toMatchObject({
      exit: 2,
    });
    const empty = await llamatune(['bench', 'table', join(folder, 'models')]);
    expect(empty.stderr).toContain('error SUBMISSIONS_NOT_FOUND');
  });
});

describe('llamatune bench advise', () => {
  it('counts the parameters of a model and the tokens of a dataset', async () => {
    const dataset = join(folder, 'rows.jsonl');
    const rows = ['The quick brown fox jumps over the lazy dog.', 'Hi.'];
    writeFileSync(dataset, rows.map((text) => JSON.stringify({ text })).join('\n'));
    const { samples, tokens, longest } = await countTokens({ model, dataset });
    expect(samples).toBe(2);
    expect(longest).toBeLessThan(tokens);
    const { exit, stdout } = await llamatune([
      ...['bench', 'advise', '--model', model, '--dataset', dataset, '--json'],
    ]);
    expect(exit).toBe(0);
    const [advice] = jsonLines(stdout);
    expect(advice).toMatchObject({ type: 'advice', epochs: 4, trainedTokens: 4 * tokens });
    expect(advice!.rule).toMatchObject({ tokensPerParameter: 20 });
  });

  it('says in words what it does not know', async () => {
    const args = ['bench', 'advise', '--parameters', '6e8', '--tokens', '22041'];
    const { stdout } = await llamatune(args);
    expect(stdout).toContain('4 epochs');
    expect(stdout).toContain('arXiv 2203.15556');
    expect((await llamatune([...args, '--mode', 'full'])).stdout).not.toContain('LoRA');
  });

  it('refuses a missing number, and a dataset that would not be counted', async () => {
    const refusal = async (...args: string[]) => {
      const { exit, stderr } = await llamatune(['bench', 'advise', ...args]);
      expect(exit).toBe(2);
      return stderr;
    };
    expect(await refusal('--parameters', '6e8')).toContain('expected the number of tokens');
    expect(await refusal('--tokens', '5')).toContain('expected the number of parameters');
    const dataset = ['--dataset', 'train.jsonl'];
    expect(await refusal('--parameters', '6e8', ...dataset)).toContain('received no model');
    expect(await refusal('--model', 'm.gguf', '--tokens', '5', ...dataset)).toContain('both');
  });
});
