import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { checkFiles, type OutputFile } from '../files/check.js';
import { holdOutputs } from '../files/lock.js';
import { REPORT_NAMES } from '../files/names.js';
import { refuseExisting } from '../files/results-files.js';
import {
  LlamatuneError,
  type ReportFormat,
  readEvaluation,
  readJudgement,
  readRaftSummary,
  readResults,
  renderEvaluation,
  renderJudgement,
  renderRaftReport,
  renderReport,
  writeEvaluationReport,
  writeJudgeReport,
  writeRaftReport,
  writeReport,
} from '../index.js';
import { onlyFolder, parseArguments } from './arguments.js';
import type { Command } from './command.js';
import { jsonLine } from './json.js';
import { type CliOption, commonOptions } from './option.js';
import { formatOf, formatOption } from './report-format.js';

/** How the results of one kind of call become a report. */
interface Kind {
  render(path: string, format: ReportFormat): string;
  write(path: string, folder: string): string[];
}

const kind = <R>(
  read: (path: string) => R,
  render: (results: R, options: { format: ReportFormat }) => string,
  write: (results: R, folder: string) => string[],
): Kind => ({
  render: (path, format) => render(read(path), { format }),
  write: (path, folder) => write(read(path), folder),
});

/** By the field `format` of the results. */
const KINDS: ReadonlyMap<unknown, Kind> = new Map([
  ['llamatune-evaluation', kind(readEvaluation, renderEvaluation, writeEvaluationReport)],
  ['llamatune-judge', kind(readJudgement, renderJudgement, writeJudgeReport)],
  ['llamatune-raft', kind(readRaftSummary, renderRaftReport, writeRaftReport)],
  ['llamatune-bench', kind(readResults, renderReport, writeReport)],
]);

/** The files of results: of evaluate, judge and suites, and of raft. */
const NAMES = ['results.json', 'summary.json'];
const EXAMPLE = 'llamatune report results --format markdown';

const options: readonly CliOption[] = [
  formatOption('How the report is written to standard output.'),
  {
    name: 'output',
    kind: 'text',
    typeText: 'path',
    description:
      'Write all files of the report to this folder instead: summary.md, summary.txt, report.html and charts/. Only in the folder of the results are files of these names replaced.',
  },
];

export const reportCommand: Command = {
  help: {
    name: 'report',
    summary: 'Show the recorded results of evaluate, judge, raft or a benchmark suite again.',
    usage: 'report <folder | results.json | summary.json> [options]',
    options,
    examples: [
      { what: 'the report of an evaluation on the terminal', line: 'llamatune report results' },
      {
        what: 'as a table for a README, or as a page',
        line: 'llamatune report judged --format markdown >> README.md\n  llamatune report raft --format html > raft.html',
      },
      {
        what: 'write all files of the report again',
        line: 'llamatune report raft/summary.json --output raft',
      },
    ],
    notes: [
      'A run of raft can be shown before it has finished. bench report does the same for a suite with other prices.',
    ],
  },

  async run(args, io) {
    const parsed = parseArguments(args, [...options, ...commonOptions], 'report');
    const path = resultsIn(onlyFolder(parsed, EXAMPLE));
    const found = kindOf(path);
    const format = formatOf(parsed, EXAMPLE);
    const folder = parsed.values.get('output');
    if (folder !== undefined && parsed.values.has('format')) {
      throw new LlamatuneError('USAGE_INVALID', 'expected --format or --output but received both', {
        hint: 'leave out --format: --output writes every file of the report',
      });
    }
    if (typeof folder !== 'string') {
      io.stdout.write(found.render(path, format));
      return;
    }
    if (folder === '') {
      const message = 'expected a folder for --output but received an empty text';
      throw new LlamatuneError('USAGE_INVALID', message, { hint: EXAMPLE });
    }
    const output = { field: 'output', path: folder, kind: 'folder' } as const;
    const files = await holdOutputs(
      [output],
      async () => {
        // Next to the results these files are an earlier report; elsewhere they may be the user's own.
        if (resolve(folder) !== dirname(resolve(path))) refuseExisting(folder, REPORT_NAMES);
        return found.write(path, folder);
      },
      checkFiles({
        inputs: [{ field: 'results', path, kind: 'samples' }],
        outputs: filesIn(output),
      }),
    );
    io.stdout.write(
      parsed.values.get('json') === true
        ? jsonLine({ type: 'done', files })
        : `${files.slice(0, 3).join('\n')}\n`,
    );
  },
};

/** The file of results that is given, or is in the given folder. */
function resultsIn(path: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return path;
  const found = NAMES.map((name) => join(path, name)).find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw invalid(path, `it has no ${NAMES.join(' and no ')}`);
}

/** The folder and the files of the report in it, one of which may be a link to the results. */
const filesIn = (folder: OutputFile): OutputFile[] => [
  folder,
  ...REPORT_NAMES.filter((name) => name !== 'charts').map(
    (name): OutputFile => ({ ...folder, path: join(folder.path, name), kind: 'file' }),
  ),
];

/** Far more than results have; a larger file would be read for long, only to be refused. */
const MOST_BYTES = 256 * 2 ** 20;

function kindOf(path: string): Kind {
  const stats = statSync(path, { throwIfNoEntry: false });
  // A pipe without a writer would be waited for.
  if (stats?.isFile() === false) throw invalid(path, 'it is not a regular file');
  if ((stats?.size ?? 0) > MOST_BYTES) throw invalid(path, 'it is larger than 256 MiB');
  let format: unknown;
  try {
    format = (JSON.parse(readFileSync(path, 'utf8')) as { format?: unknown } | null)?.format;
  } catch (cause) {
    throw invalid(path, (cause as Error).message, cause);
  }
  const found = KINDS.get(format);
  if (found !== undefined) return found;
  throw invalid(path, 'it is not a file of results of llamatune');
}

const invalid = (path: string, reason: string, cause?: unknown): LlamatuneError =>
  new LlamatuneError('RESULTS_INVALID', `cannot read the results in '${path}': ${reason}`, {
    hint: 'give the output folder of evaluate, judge, raft or a suite, or its results.json or summary.json',
    ...(cause === undefined ? {} : { cause }),
  });
