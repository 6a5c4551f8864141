import { replaceFile } from '../files/atomic-file.js';
import { useFiles } from '../files/lock.js';
import { filesOfRun } from '../files/run-files.js';
import {
  describeOptions,
  type InspectDatasetOptions,
  inspectDataset,
  inspectDatasetSchema,
  parseConfig,
  renderInspection,
} from '../index.js';
import { parseArguments, refusePositionals } from './arguments.js';
import type { Command } from './command.js';
import { commandOutput, configFile, configurationOf } from './configuration.js';
import { usesColor } from './io.js';
import { jsonLine } from './json.js';
import { type CliOption, cliOptions, commonOptions } from './option.js';

const commandOptions: readonly CliOption[] = [
  {
    name: 'html',
    kind: 'text',
    typeText: 'path',
    description: 'Also write the report to this file, as a page that works offline.',
  },
];
const options = [...cliOptions(describeOptions(inspectDatasetSchema)), ...commandOptions];
const excludedOptions = new Set([...commandOptions, ...commonOptions].map(({ name }) => name));

export const inspectDataCommand: Command = {
  help: {
    name: 'inspect data',
    summary:
      'Show the rows of a dataset with their loss mask, and lengths, duplicates, padding and what looks like a mistake.',
    usage: 'inspect data --model <path> --dataset <path> [options]',
    options,
    examples: [
      {
        what: 'look at a dataset before training on it',
        line: 'llamatune inspect data --model base.gguf --dataset train.jsonl',
      },
      {
        what: 'show more rows, with only the last answer learned, and write a page',
        line: 'llamatune inspect data --model base.gguf --dataset train.jsonl --loss last-assistant \\\n    --preview 20 --html dataset.html',
      },
      {
        what: 'what a limit of 256 tokens would cut, for another program',
        line: 'llamatune inspect data --model base.gguf --dataset train.jsonl --sequenceLength 256 \\\n    --overlength truncate --json',
      },
    ],
    notes: [
      'What is learned is green, yellow with a weight other than 1, and without a terminal or with NO_COLOR in ⟦brackets⟧. ' +
        'Only the vocabulary of the model is loaded.',
    ],
  },

  async run(args, io) {
    const parsed = parseArguments(args, [...options, ...commonOptions], 'inspect data');
    refusePositionals(parsed, 'inspect data');
    const config = configurationOf(parsed, excludedOptions);
    const page = commandOutput(parsed, 'html');
    const outputs = page === undefined ? [] : [page];
    const complete = parseConfig(inspectDatasetSchema, config, 'inspect data options');
    const inputs = [...filesOfRun(complete).inputs, ...configFile(parsed)];
    await useFiles({ inputs, outputs }, async () => {
      const inspection = await inspectDataset({
        ...config,
        signal: io.signal,
      } as InspectDatasetOptions);
      if (page !== undefined) {
        replaceFile(page.path, renderInspection(inspection, { format: 'html' }), 'report');
      }
      io.stdout.write(
        parsed.values.get('json') === true
          ? jsonLine({ type: 'dataset', ...inspection })
          : renderInspection(inspection, { format: 'text', color: usesColor(io) }),
      );
    });
  },
};
