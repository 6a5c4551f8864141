import {
  describeOptions,
  finetuneSchema,
  generateSchema,
  type RaftOptions,
  raft,
  raftSchema,
  writeRaftReport,
} from '../index.js';
import { parseArguments, refusePositionals } from './arguments.js';
import type { Command } from './command.js';
import { configurationOf } from './configuration.js';
import { jsonLine } from './json.js';
import { type CliOption, cliOptions, commonOptions } from './option.js';
import { raftView } from './raft-view.js';
import { showRun } from './show-run.js';

const ownOptions = cliOptions(describeOptions(raftSchema));

/** The options of another call as `--generation.maxTokens`; those that raft() sets are refused like any wrong option. */
const prefixed = (prefix: string, schema: Parameters<typeof describeOptions>[0]): CliOption[] =>
  cliOptions(describeOptions(schema)).map((option) => ({
    ...option,
    name: `${prefix}.${option.name}`,
    required: false,
  }));
const nestedOptions = [
  ...prefixed('generation', generateSchema),
  ...prefixed('finetune', finetuneSchema),
];
const excludedOptions = new Set(commonOptions.map(({ name }) => name));

export const raftCommand: Command = {
  help: {
    name: 'raft',
    summary:
      'Improve a model on tasks whose answers can be verified: sample, verify, train on what passes, repeat.',
    usage:
      'raft --model <path> --prompts <path | cpp> --verifier <type> --output <folder> [options]',
    options: ownOptions,
    examples: [
      {
        what: 'three cycles of eight answers to each question, whose last number is checked',
        line: 'llamatune raft --model base.gguf --prompts questions.jsonl --verifier numeric --output raft',
      },
      {
        what: 'the built-in C++ tasks: answers are compiled and run',
        line: 'llamatune raft --model coder.gguf --prompts cpp --generation.maxTokens 512 --cycles 2 --output raft-cpp',
      },
      {
        what: 'continue after Ctrl-C, a crash or a reboot, with the same options',
        line: 'llamatune raft --model base.gguf --prompts questions.jsonl --verifier numeric --output raft --resume',
      },
      {
        what: 'held-out prompts for the evaluation, a larger adapter and hotter samples',
        line: 'llamatune raft --model base.gguf --prompts train.jsonl --evaluation.prompts test.jsonl --verifier numeric \\\n    --generation.temperature 1 --finetune.lora.rank 16 --finetune.epochs 2 --output raft',
      },
    ],
    notes: [
      'Every option of generate and finetune can be given as --generation.NAME and --finetune.NAME, except those that raft ' +
        'sets itself.',
      'The folder gets summary.json, the samples and their verdicts, an adapter per cycle, hardware readings, and a report: ' +
        'summary.md, summary.txt and report.html.',
    ],
  },

  async run(args, io) {
    const parsed = parseArguments(
      args,
      [...ownOptions, ...nestedOptions, ...commonOptions],
      'raft',
    );
    refusePositionals(parsed, 'raft');
    const json = parsed.values.get('json') === true;
    const config = configurationOf(parsed, excludedOptions);
    const run = raft({ ...config, signal: io.signal } as unknown as RaftOptions);
    const view = raftView(io, json);
    const summary = await showRun(run, view);
    const files = writeRaftReport(summary, String(config.output));
    if (json) io.stdout.write(jsonLine({ type: 'done', result: summary, files }));
    else view.done(summary, files);
  },
};
