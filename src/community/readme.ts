import type { SuiteResults } from '../bench/suite/results.js';
import * as format from '../format.js';
import { machineFacts, noiseBlocks } from '../report/suite/build-document.js';
import { outcomeText } from '../report/suite/cells.js';
import type { ReportDocument } from '../report/suite/document.js';
import type { ReportFile } from '../report/suite/document-files.js';
import { renderMarkdown } from '../report/suite/markdown.js';

/** The README of a submission: hardware, versions, the commands that reproduce it, and what its files are. */
export function submissionReadme(submission: {
  name: string;
  results: SuiteResults;
  /** Whether the suite comes with llamatune; otherwise it is in suite.json. */
  isBuiltIn: boolean;
  files: readonly ReportFile[];
}): string {
  const { name, results } = submission;
  const { machine, versions, startedAt, finishedAt, suite, trials } = results;
  const ended = new Map<string, number>();
  for (const trial of trials) {
    const text = outcomeText(trial) ?? 'measured';
    ended.set(text, (ended.get(text) ?? 0) + 1);
  }
  const document: ReportDocument = {
    title: name,
    subtitle: `Suite ${suite.name}: ${suite.description || format.plural(trials.length, 'trial')}`,
    sections: [
      { title: 'Hardware', blocks: [{ kind: 'facts', facts: machineFacts(machine) }] },
      { title: 'Versions', blocks: [{ kind: 'facts', facts: Object.entries(versions) }] },
      { title: 'Commands', blocks: [{ kind: 'code', text: commands(submission) }] },
      {
        title: 'Measurements',
        blocks: [
          {
            kind: 'facts',
            facts: [
              ['Started', startedAt],
              ['Finished', finishedAt ?? 'not finished'],
              ['Trials', [...ended].map(([text, count]) => `${count} ${text}`).join(', ')],
            ],
          },
          ...noiseBlocks(trials),
        ],
      },
      { title: 'Files', blocks: [{ kind: 'facts', facts: fileFacts(submission.files) }] },
    ],
  };
  return renderMarkdown(document);
}

function commands({
  name,
  results: { suite, versions, machine },
  isBuiltIn,
}: Parameters<typeof submissionReadme>[0]): string {
  const variables = Object.entries(machine.environment).map(([key, value]) => `${key}=${value} `);
  return [
    `npm install llamatune@${versions.llamatune}`,
    `${variables.join('')}npx llamatune bench --suite ${isBuiltIn ? suite.name : 'suite.json'} --output results`,
    `npx llamatune bench submit results --name ${name}`,
  ].join('\n');
}

const DESCRIPTIONS: readonly (readonly [file: RegExp, name: string, text: string])[] = [
  [/^summary\.md$/, 'summary.md', 'the tables'],
  [/^charts\//, 'charts/', 'the charts as SVG'],
  [/^results\.json$/, 'results.json', 'every sample of every trial'],
  [/^suite\.json$/, 'suite.json', 'the suite; paths of files are replaced by their names'],
  [/^logs\//, 'logs/', 'the raw log of every trial'],
  [/\.csv$/, '*.csv', 'samples of the hardware during the trials'],
];

const fileFacts = (files: readonly ReportFile[]): (readonly [string, string])[] =>
  DESCRIPTIONS.filter(([pattern]) => files.some(({ path }) => pattern.test(path))).map(
    ([, name, text]) => [name, text] as const,
  );
