import { readFileSync } from 'node:fs';
import { reasonOf } from '../errors.js';
import {
  describeOptions,
  type JudgeOptions,
  judge,
  judgeSchema,
  LlamatuneError,
  renderJudgement,
} from '../index.js';
import { type ParsedArguments, parseArguments, refusePositionals } from './arguments.js';
import type { Command } from './command.js';
import type { JsonObject } from './config-file.js';
import { configurationOf } from './configuration.js';
import { jsonLine } from './json.js';
import { judgeView } from './judge-view.js';
import { type CliOption, cliOptions, commonOptions } from './option.js';
import { showRun } from './show-run.js';

const commandOptions: readonly CliOption[] = [
  {
    name: 'promptFile',
    kind: 'text',
    typeText: 'path',
    description: 'Read the prompt of the judge from this file.',
  },
];
const options = [...cliOptions(describeOptions(judgeSchema)), ...commandOptions];
const excludedOptions = new Set([...commandOptions, ...commonOptions].map(({ name }) => name));

export const judgeCommand: Command = {
  help: {
    name: 'judge',
    summary: 'Let a model judge which of two systems gives the better answers.',
    usage: 'judge --model <path> (--samples <path>,<path> | --pairs <path>) [options]',
    options,
    examples: [
      {
        what: 'compare the answers of a fine-tuned model with those of its base model',
        line: 'llamatune judge --model judge.gguf --samples tuned.jsonl,base.jsonl --output judged',
      },
      {
        what: 'name the systems, and compare each with one of them',
        line: 'llamatune judge --model judge.gguf --samples a=run1.jsonl,b=run2.jsonl,base=base.jsonl \\\n    --baseline base',
      },
      {
        what: 'continue after Ctrl-C, a crash or a reboot, with the same options',
        line: 'llamatune judge --model judge.gguf --samples tuned.jsonl,base.jsonl --output judged --resume',
      },
      {
        what: 'let the judge explain, and check it on your own pairs',
        line: 'llamatune judge --model judge.gguf --pairs pairs.jsonl --explain --check known.jsonl --json',
      },
    ],
    notes: [
      'Each pair of answers is judged in both orders. The judge is first checked on pairs with a known winner, and its accuracy ' +
        'is shown below the table.',
      'The table goes to standard output, the progress to standard error.',
    ],
  },

  async run(args, io) {
    const parsed = parseArguments(args, [...options, ...commonOptions], 'judge');
    refusePositionals(parsed, 'judge');
    const json = parsed.values.get('json') === true;
    const config = withPrompt(configurationOf(parsed, excludedOptions), parsed);
    const run = judge({ ...config, signal: io.signal } as unknown as JudgeOptions);
    const results = await showRun(run, judgeView(io, json));
    io.stdout.write(
      json
        ? jsonLine({ type: 'done', result: results })
        : renderJudgement(results, { format: 'text' }),
    );
  },
};

function withPrompt(config: JsonObject, { values }: ParsedArguments): JsonObject {
  const path = values.get('promptFile');
  if (typeof path !== 'string') return config;
  if (values.has('prompt')) {
    throw new LlamatuneError(
      'USAGE_INVALID',
      'expected one of --prompt and --promptFile but received both',
      { hint: 'leave one of them out' },
    );
  }
  try {
    return { ...config, prompt: readFileSync(path, 'utf8').trimEnd() };
  } catch (cause) {
    throw new LlamatuneError(
      'USAGE_INVALID',
      `cannot read the prompt file ${path}: ${reasonOf(cause)}`,
      { hint: 'check the path', cause },
    );
  }
}
