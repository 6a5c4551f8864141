import { describe, expect, it } from 'vitest';
import { type ExpectedSkip, expectedSkips, skipProblems } from '../expected-skips.js';
import { filesUnder } from './source-files.js';

const list = (holds: boolean): ExpectedSkip[] => [
  {
    reason: 'there is no GPU',
    holds,
    tests: ['test/a.test.ts: gpu > trains', 'test/b.test.ts: all'],
  },
];
const file = (name: string, ...tests: [string, 'ran' | 'skipped'][]) => ({
  file: name,
  tests: tests.map(([test, state]) => ({ name: test, skipped: state === 'skipped' })),
});

describe('expected skips', () => {
  it('are accepted if their reason holds, also for a whole suite', () => {
    const files = [
      file('test/a.test.ts', ['gpu > trains', 'skipped'], ['cpu > trains', 'ran']),
      file('test/b.test.ts', ['all > one', 'skipped'], ['all > two', 'skipped']),
    ];
    expect(skipProblems(files, list(true))).toEqual([]);
  });

  it('fail if a test is skipped without being listed, or if the reason does not hold', () => {
    const other = file('test/a.test.ts', ['gpu > trains', 'skipped'], ['cpu > trains', 'skipped']);
    expect(skipProblems([other], list(true))).toEqual([
      'skipped, but not listed: test/a.test.ts: cpu > trains',
    ]);
    expect(skipProblems([other], list(false))).toHaveLength(2);
  });

  it('fail if a listed test runs although its reason holds', () => {
    const ran = file('test/b.test.ts', ['all > one', 'ran']);
    expect(skipProblems([ran], list(true))).toEqual([
      'listed as skipped because there is no GPU, but it ran: test/b.test.ts: all > one',
    ]);
  });

  it('fail if the list names a test that does not exist, and ignore files that did not run', () => {
    const renamed = file('test/a.test.ts', ['gpu > learns', 'ran']);
    expect(skipProblems([renamed], list(true))).toEqual([
      'listed, but there is no such test: test/a.test.ts: gpu > trains',
    ]);
  });
});

describe('the list of expected skips', () => {
  it('has an entry for every conditional skip in the tests, of other platforms too', () => {
    const listed = new Map<string, number>();
    for (const entry of expectedSkips.flatMap(({ tests }) => tests)) {
      const file = entry.slice(0, entry.indexOf(': '));
      listed.set(file, (listed.get(file) ?? 0) + 1);
    }
    const written = filesUnder('test', /\.test\.ts$/)
      .map(({ path, text }) => [`test/${path}`, text.match(/\b(it|describe|test)\.skipIf\(/g)])
      .flatMap(([path, found]) => (found ? [[path, found.length]] : []));
    expect(Object.fromEntries(written)).toEqual(Object.fromEntries(listed));
  });
});
