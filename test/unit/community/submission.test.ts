import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { SuiteResults } from '../../../src/bench/suite/results.js';
import {
  prepareSubmission,
  readSubmissions,
  type SubmissionOptions,
  writeSubmission,
} from '../../../src/community/submission.js';
import { results } from '../report/suite/fixture.js';

const folder = mkdtempSync(join(tmpdir(), 'submission-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let counter = 0;

const personal: SubmissionOptions['personal'] = [
  { kind: 'home folder', value: '/home/alice' },
  { kind: 'user name', value: 'alice' },
  { kind: 'host name', value: 'wonderland' },
];

/** A folder as a suite leaves it, with personal data in every kind of file. */
function suiteFolder(change: Partial<SuiteResults> = {}): string {
  const path = join(folder, `results-${counter++}`);
  const trials = results.trials
    .filter(({ benchmark }) => ['inference', 'methods'].includes(benchmark))
    .map((trial) => ({ ...trial, spec: { ...trial.spec, model: '/home/alice/models/base.gguf' } }));
  const failed = trials.find(({ outcome }) => outcome.status === 'failed')!;
  failed.outcome = {
    status: 'failed',
    code: 'MODEL_UNREADABLE',
    message: "alice may not read '/home/alice/models/base.gguf' on wonderland",
  };
  const suite = { ...results.suite, models: ['/home/alice/models/base.gguf'] };
  mkdirSync(join(path, 'logs'), { recursive: true });
  writeFileSync(
    join(path, 'results.json'),
    JSON.stringify({ ...results, suite, trials, ...change }),
  );
  writeFileSync(
    join(path, 'logs', '001-training.log'),
    '{"modelPath":"/home/alice/models/base.gguf","loss":1.25}\nwonderland: low memory\n',
  );
  writeFileSync(join(path, 'hardware.csv'), 'time,host\n1,wonderland\n');
  writeFileSync(join(path, 'notes.txt'), 'private');
  return path;
}

const prepare = (source: string, options: Partial<SubmissionOptions> = {}) =>
  prepareSubmission({ results: source, output: join(folder, 'out'), personal, ...options });

describe('prepareSubmission', () => {
  it('has hardware, versions, commands, results, logs, summary and charts, without personal data', async () => {
    const submission = await prepare(suiteFolder());
    const paths = submission.files.map(({ path }) => path);
    expect(paths.slice(0, 4)).toEqual(['README.md', 'results.json', 'suite.json', 'summary.md']);
    expect(paths).toContain('charts/chart-1.svg');
    expect(paths.slice(-2)).toEqual(['logs/001-training.log', 'hardware.csv']);
    for (const { text } of submission.files) expect(text).not.toMatch(/alice|wonderland|home/i);
    const text = (path: string) => submission.files.find((file) => file.path === path)!.text;
    expect(text('logs/001-training.log')).toBe(
      '{"modelPath":"base.gguf","loss":1.25}\nhost: low memory\n',
    );
    expect(text('results.json')).toContain("user may not read 'base.gguf' on host");
    expect(submission.replaced).toContainEqual({
      kind: 'host name',
      before: 'wonderland',
      after: 'host',
      count: 3,
    });
    await expect(text('README.md')).toMatchFileSnapshot('golden/README.md');
  });

  it('writes nothing by itself, and later only what it showed', async () => {
    const submission = await prepare(suiteFolder(), { name: 'written' });
    expect(existsSync(submission.folder)).toBe(false);
    const paths = writeSubmission(submission);
    expect(paths).toEqual(submission.files.map(({ path }) => join(submission.folder, path)));
    for (const { path, text } of submission.files) {
      expect(readFileSync(join(submission.folder, path), 'utf8')).toBe(text);
    }
    expect(() => writeSubmission(submission)).toThrow(
      expect.objectContaining({ code: 'SUBMISSION_EXISTS' }),
    );
    await expect(prepare(suiteFolder(), { name: 'written' })).rejects.toMatchObject({
      code: 'SUBMISSION_EXISTS',
    });
  });

  it('leaves nothing behind if it cannot be written', async () => {
    const submission = await prepare(suiteFolder(), { name: 'broken' });
    const file = { path: 'README.md/inside-a-file', text: '' };
    expect(() => writeSubmission({ ...submission, files: [...submission.files, file] })).toThrow(
      expect.objectContaining({ code: 'OUTPUT_NOT_WRITABLE' }),
    );
    expect(existsSync(submission.folder)).toBe(false);
    expect(readSubmissions(join(folder, 'out')).map(({ name }) => name)).toEqual(['written']);
  });

  it('refuses results of a suite that did not end, and names that are not portable', async () => {
    await expect(prepare(suiteFolder({ finishedAt: null }))).rejects.toMatchObject({
      code: 'RESULTS_INCOMPLETE',
    });
    for (const name of ['../up', 'Big GPU', '.hidden', '']) {
      await expect(prepare(suiteFolder(), { name })).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
      });
    }
  });
});

describe('readSubmissions', () => {
  it('reads the folders that have results, by name', async () => {
    const output = join(folder, 'several');
    for (const name of ['b', 'a']) {
      writeSubmission(await prepare(suiteFolder(), { output, name }));
    }
    mkdirSync(join(output, 'empty'));
    expect(readSubmissions(output).map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('says that there is none', () => {
    expect(() => readSubmissions(join(folder, 'nowhere'))).toThrow(
      expect.objectContaining({ code: 'SUBMISSIONS_NOT_FOUND' }),
    );
  });
});
