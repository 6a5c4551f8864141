import { LlamatuneError, type SmokeTestOptions, smokeTest, writeRaftReport } from '../index.js';
import { parseArguments, refusePositionals } from './arguments.js';
import type { Command } from './command.js';
import { commandHelp } from './help.js';
import { textWidth } from './io.js';
import { jsonLine } from './json.js';
import { type CliOption, commonOptions } from './option.js';
import { raftView } from './raft-view.js';
import { showRun } from './show-run.js';

const options: readonly CliOption[] = [
  {
    name: 'level',
    kind: 'text',
    typeText: 'smoke',
    description: 'smoke: the whole pipeline on the shipped model, in about two minutes.',
  },
  {
    name: 'output',
    kind: 'text',
    typeText: 'path',
    description:
      'Folder to keep samples, adapters and the report in. Default: a temporary folder, which is removed.',
  },
  {
    name: 'resume',
    kind: 'boolean',
    typeText: 'flag',
    description: 'Continue the test in the folder.',
  },
];
const applicable = [...options, ...commonOptions.filter(({ name }) => name !== 'config')];

export const testCommand: Command = {
  help: {
    name: 'test',
    summary: 'Check that generation, verification, training and evaluation work on this machine.',
    usage: 'test --level smoke [--output <folder>]',
    options,
    examples: [
      { what: 'run the pipeline and print its report', line: 'llamatune test --level smoke' },
      {
        what: 'keep the samples, the adapters and the report',
        line: 'llamatune test --level smoke --output smoke',
      },
    ],
    notes: [
      'The exit code is 0 if everything worked and the model improved beyond chance on questions that it was not trained ' +
        'on, otherwise 1. No compiler and no network are needed.',
    ],
  },

  async run(args, io) {
    const { values, positionals } = parseArguments(args, applicable, 'test');
    refusePositionals({ values, positionals }, 'test');
    const level = values.get('level');
    if (level === undefined) {
      io.stdout.write(commandHelp(testCommand.help, textWidth(io)));
      return;
    }
    if (level !== 'smoke') {
      throw new LlamatuneError(
        'USAGE_INVALID',
        `expected smoke for --level but received '${level}'`,
        { hint: 'llamatune test --level smoke' },
      );
    }
    const json = values.get('json') === true;
    const output = values.get('output') as string | undefined;
    const resume = values.get('resume') as boolean | undefined;
    const run = smokeTest({ output, resume, signal: io.signal } satisfies SmokeTestOptions);
    const view = raftView(io, json);
    const { passed, summary } = await showRun(run, view);
    const files = output === undefined ? [] : writeRaftReport(summary, output);
    if (json) io.stdout.write(jsonLine({ type: 'done', result: summary, files }));
    else view.done(summary, files);
    if (!passed) {
      throw new LlamatuneError(
        'SMOKE_TEST_FAILED',
        'the pipeline ran, but pass@1 did not rise beyond chance',
        { hint: 'compare the report with docs/raft.md; repeat with --output to keep the samples' },
      );
    }
    if (!json) io.stdout.write('Smoke test passed: the pipeline works, and the model improved.\n');
  },
};
