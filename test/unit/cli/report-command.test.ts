import { linkSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { devNull } from 'node:os';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/cli.js';
import { judgeResultsSchema } from '../../../src/judge/results.js';
import { renderEvaluation } from '../../../src/report/evaluation/render-evaluation.js';
import { renderJudgement } from '../../../src/report/judge/render-judgement.js';
import { renderRaftReport } from '../../../src/report/raft/render-raft-report.js';
import { renderReport } from '../../../src/report/suite/render-report.js';
import { folderPerTest } from '../../folder-per-test.js';
import { results as evaluation } from '../report/evaluation/fixture.js';
import { resultsOf } from '../report/judge/fixture.js';
import { summaryOf } from '../report/raft/fixture.js';
import { results as suite } from '../report/suite/fixture.js';

const at = folderPerTest();

async function llamatune(...args: string[]) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const { signal } = new AbortController();
  const io = { stdin: new PassThrough(), stdout, stderr, env: {}, signal, outputClosed: signal };
  const exit = await runCli(args, io);
  return { exit, stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') };
}

const judge = judgeResultsSchema.parse(resultsOf());
const raft = summaryOf();

describe.each([
  ['evaluate', 'results.json', evaluation, renderEvaluation.bind(null, evaluation)],
  ['judge', 'results.json', judge, renderJudgement.bind(null, judge)],
  ['raft', 'summary.json', raft, renderRaftReport.bind(null, raft)],
  ['a suite', 'results.json', suite, renderReport.bind(null, suite)],
] as const)('llamatune report with results of %s', (_, name, results, render) => {
  const write = () => {
    mkdirSync(at('out'));
    writeFileSync(at(`out/${name}`), JSON.stringify(results));
  };

  it('shows the report on the terminal, from a folder or a file', async () => {
    write();
    const shown = { exit: 0, stdout: render({ format: 'text' }), stderr: '' };
    expect(await llamatune('report', at('out'))).toEqual(shown);
    expect(await llamatune('report', at(`out/${name}`))).toEqual(shown);
  });

  it.each(['markdown', 'html', 'json'] as const)('writes %s', async (format) => {
    write();
    const { stdout } = await llamatune('report', at('out'), '--format', format);
    expect(stdout === render({ format })).toBe(true);
  });

  it('writes all files of the report', async () => {
    write();
    const { stdout, stderr } = await llamatune('report', at('out'), '--output', at('new'));
    expect(stderr).toBe('');
    expect(stdout.trimEnd().split('\n')).toEqual(
      ['summary.md', 'summary.txt', 'report.html'].map((file) => at(`new/${file}`)),
    );
    expect(readFileSync(at('new/summary.txt'), 'utf8')).toBe(render({ format: 'text' }));
  });
});

describe('llamatune report', () => {
  it.each([
    ['a file of another program', '{"format":"other"}'],
    ['a file that is not JSON', '{'],
    ['null', 'null'],
    ['damaged results', '{"format":"llamatune-judge","version":1}'],
    ['a damaged summary', '{"format":"llamatune-raft","version":1}'],
  ])('refuses %s', async (_, text) => {
    writeFileSync(at('results.json'), text);
    const { exit, stderr } = await llamatune('report', at('results.json'));
    expect(stderr).toContain('error RESULTS_INVALID: cannot read the results in');
    expect(exit).toBe(1);
  });

  it('refuses a device and a file that is too large, without reading them', async () => {
    writeFileSync(at('large.json'), '');
    truncateSync(at('large.json'), 2 ** 30);
    expect((await llamatune('report', devNull)).stderr).toContain('it is not a regular file');
    expect((await llamatune('report', at('large.json'))).stderr).toContain('larger than 256 MiB');
  });

  it('does not replace the results through a link', async () => {
    mkdirSync(at('new'));
    writeFileSync(at('summary.json'), JSON.stringify(raft));
    linkSync(at('summary.json'), at('new/summary.md'));
    const { stderr } = await llamatune('report', at('summary.json'), '--output', at('new'));
    expect(stderr).toContain('error OUTPUT_CONFLICT');
    expect(readFileSync(at('summary.json'), 'utf8')).toBe(JSON.stringify(raft));
    expect(await llamatune('report', at(), '--output', '')).toMatchObject({ exit: 2 });
  });

  it('replaces an earlier report only in the folder of the results', async () => {
    mkdirSync(at('new'));
    for (const file of ['summary.md', 'new/summary.md']) writeFileSync(at(file), 'mine');
    writeFileSync(at('summary.json'), JSON.stringify(raft));
    const refused = await llamatune('report', at(), '--output', at('new'));
    expect(refused.stderr).toContain('error RESULTS_EXIST');
    expect(readFileSync(at('new/summary.md'), 'utf8')).toBe('mine');
    expect(await llamatune('report', at(), '--output', at())).toMatchObject({ exit: 0 });
    expect(readFileSync(at('summary.md'), 'utf8')).toMatch(/^# RAFT/);
  });

  it('says what is missing', async () => {
    expect((await llamatune('report', at())).stderr).toContain(
      'it has no results.json and no summary.json',
    );
    expect((await llamatune('report', at('none.json'))).stderr).toContain('no such file');
    expect(await llamatune('report')).toMatchObject({ exit: 2 });
  });

  it('refuses an unknown format', async () => {
    writeFileSync(at('summary.json'), JSON.stringify(raft));
    const { exit, stderr } = await llamatune('report', at(), '--format', 'pdf');
    expect(stderr).toContain("expected text, markdown, html, json for --format but received 'pdf'");
    expect(exit).toBe(2);
  });

  it('refuses --format with --output, which writes every format', async () => {
    writeFileSync(at('summary.json'), JSON.stringify(raft));
    const args = ['report', at(), '--format', 'html', '--output', at('new')];
    const { exit, stderr } = await llamatune(...args);
    expect(stderr).toContain('expected --format or --output but received both');
    expect(exit).toBe(2);
  });
});
