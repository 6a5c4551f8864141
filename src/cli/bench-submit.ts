import { relative } from 'node:path';
import { createInterface } from 'node:readline/promises';
import * as format from '../format.js';
import { LlamatuneError, prepareSubmission, type Submission, writeSubmission } from '../index.js';
import { onlyFolder, parseArguments } from './arguments.js';
import type { CliIo } from './io.js';
import { jsonLine } from './json.js';
import { type CliOption, commonOptions } from './option.js';

/** Of `bench --suite` and `bench submit`. */
export const outputOption: CliOption = {
  name: 'output',
  kind: 'text',
  typeText: 'path',
  description:
    'With --suite: folder for results.json and the report. With submit: folder of all submissions. Default there: benchmarks/community.',
};

/** The options of `bench submit` besides `output`. */
export const submitOptions: readonly CliOption[] = [
  {
    name: 'name',
    kind: 'text',
    typeText: 'name',
    description: 'With submit: name of the new folder. Default: made from the hardware.',
  },
  {
    name: 'yes',
    kind: 'boolean',
    typeText: 'flag',
    description: 'With submit: write without asking.',
  },
];

/** llamatune bench submit FOLDER */
export async function submitCommand(args: readonly string[], io: CliIo): Promise<void> {
  const parsed = parseArguments(args, [...submitOptions, outputOption, ...commonOptions], 'bench');
  const { values } = parsed;
  const submission = await prepareSubmission({
    results: onlyFolder(parsed, 'llamatune bench submit bench-results'),
    output: values.get('output') as string | undefined,
    name: values.get('name') as string | undefined,
  });
  const json = values.get('json') === true;
  if (json) io.stdout.write(jsonLine({ type: 'submission', ...listOf(submission) }));
  else io.stderr.write(submissionText(submission));
  if (values.get('yes') !== true && !(await confirmed(submission, json, io))) {
    io.stderr.write('nothing was written\n');
    return;
  }
  const files = writeSubmission(submission);
  io.stdout.write(json ? jsonLine({ type: 'done', files }) : `${submission.folder}\n`);
}

const listOf = ({ folder, files, replaced }: Submission) => ({
  folder,
  files: files.map(({ path, text }) => ({ path, bytes: Buffer.byteLength(text) })),
  replaced,
});

/** What will be written, and as a diff what was replaced in it. */
function submissionText(submission: Submission): string {
  const { folder, files, replaced } = listOf(submission);
  const short = (text: string) => (text.length > 200 ? `${text.slice(0, 200)}…` : text);
  const changes = replaced.flatMap(({ kind, before, after, count }) => [
    `@@ ${kind}, ${format.plural(count, 'time')}`,
    `- ${short(before)}`,
    `+ ${after}`,
  ]);
  return `${[
    `New folder ${relative('', folder) || folder} with ${format.plural(files.length, 'file')}:`,
    ...files.map(({ path, bytes }) => `  ${path}  ${format.bytes(bytes)}`),
    ...(changes.length === 0 ? ['No personal data was found.'] : ['Replaced:', ...changes]),
  ].join('\n')}\n`;
}

async function confirmed({ folder }: Submission, json: boolean, io: CliIo): Promise<boolean> {
  if (json || !io.stdin.isTTY || !io.stderr.isTTY) {
    throw new LlamatuneError(
      'SUBMISSION_NOT_CONFIRMED',
      `'${relative('', folder) || folder}' was not written, because nobody can be asked`,
      { hint: 'look at the list, then run the command again with --yes' },
    );
  }
  const prompt = createInterface({ input: io.stdin, output: io.stderr });
  try {
    const answer = await prompt.question('Write it? [y/N] ', { signal: io.signal });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    prompt.close();
  }
}
