import { replaceFile } from '../files/atomic-file.js';
import { useFiles } from '../files/lock.js';
import { modelFile } from '../files/run-files.js';
import * as format from '../format.js';
import {
  type BenchEvent,
  type BenchOptions,
  type BenchResult,
  bench,
  benchJson,
  benchMarkdown,
  benchRows,
  benchSchema,
  describeOptions,
  LlamatuneError,
  parseConfig,
} from '../index.js';
import { parseArguments, refusePositionals } from './arguments.js';
import { adviseCommand } from './bench-advise.js';
import { submitCommand, submitOptions } from './bench-submit.js';
import {
  asksForSuite,
  compareCommand,
  reportCommand,
  runSuiteCommand,
  suiteOptions,
  tableCommand,
  tableOptions,
} from './bench-suite.js';
import type { Command } from './command.js';
import { commandOutput, configFile, configurationOf } from './configuration.js';
import type { CliIo } from './io.js';
import { jsonLine } from './json.js';
import { type CliOption, cliOptions, commonOptions } from './option.js';
import { columnTable } from './table.js';

const commandOptions: readonly CliOption[] = [
  {
    name: 'report',
    kind: 'text',
    typeText: 'path',
    description: 'Write the result to this file: .json with all samples, or .md as a table.',
  },
];
const options = [...cliOptions(describeOptions(benchSchema)), ...commandOptions];
const excludedOptions = new Set([...commandOptions, ...commonOptions].map(({ name }) => name));

export const benchCommand: Command = {
  help: {
    name: 'bench',
    summary: 'Measure a model, or run a benchmark suite with a report.',
    usage:
      'bench --model <path> [options]\n       llamatune bench --suite <name> --output <folder>\n       llamatune bench compare <results.json> <results.json>\n       llamatune bench report <folder> [--electricityPricePerKwh <price>] [--cloudPricePerHour <price>]\n       llamatune bench submit <folder>\n       llamatune bench table <folder>\n       llamatune bench advise --model <path> --dataset <path>',
    options: [
      ...options.map((option) =>
        option.name === 'model'
          ? {
              ...option,
              required: false,
              description: `${option.description} Required without --suite.`,
            }
          : option,
      ),
      ...suiteOptions,
      ...submitOptions,
      ...tableOptions,
    ],
    examples: [
      {
        what: 'whether everything works: a suite with the shipped model, in less than a minute',
        line: 'llamatune bench --suite smoke --output bench-results',
      },
      {
        what: 'whether a change made anything slower, with exit code 1 if so',
        line: 'llamatune bench compare before/results.json after/results.json',
      },
      {
        what: 'share results without personal data, and compare devices',
        line: 'llamatune bench submit bench-results && llamatune bench table benchmarks/community',
      },
      { what: 'measure all three with the defaults', line: 'llamatune bench --model base.gguf' },
      {
        what: 'measure training only, with longer rows, and save all samples',
        line: 'llamatune bench --model base.gguf --promptTokens 0 --generatedTokens 0 \\\n    --training.sequenceLength 512 --report bench.json',
      },
    ],
  },

  async run(args, io) {
    const [first, ...others] = args;
    if (first === 'compare') return compareCommand(others, io);
    if (first === 'report') return reportCommand(others, io);
    if (first === 'submit') return submitCommand(others, io);
    if (first === 'table') return tableCommand(others, io);
    if (first === 'advise') return adviseCommand(others, io);
    if (asksForSuite(args)) return runSuiteCommand(args, io);
    const parsed = parseArguments(args, [...options, ...commonOptions], 'bench');
    refusePositionals(parsed, 'bench');
    const config = configurationOf(parsed, excludedOptions);
    const json = parsed.values.get('json') === true;
    const report = commandOutput(parsed, 'report');
    if (report !== undefined && !/\.(json|md)$/i.test(report.path)) {
      throw new LlamatuneError(
        'USAGE_INVALID',
        `expected a path ending in .json or .md for --report but received ${report.path}`,
        { hint: 'name the file bench.json or bench.md' },
      );
    }
    const { model } = parseConfig(benchSchema, config, 'bench options');
    const outputs = report === undefined ? [] : [report];
    const inputs = [...modelFile(model), ...configFile(parsed)];
    await useFiles({ inputs, outputs }, async () => {
      const run = bench({ ...config, signal: io.signal } as BenchOptions);
      for await (const event of run) show(event, json, io);
      const result = await run.result;
      io.stdout.write(json ? jsonLine({ type: 'done', result }) : `${benchTable(result)}\n`);
      if (report !== undefined) {
        const isTable = /\.md$/i.test(report.path);
        replaceFile(report.path, isTable ? benchMarkdown(result) : benchJson(result), 'report');
      }
    });
  },
};

function show(event: BenchEvent, json: boolean, io: CliIo): void {
  if (json) {
    io.stdout.write(jsonLine(event));
    return;
  }
  const what = event.warmup ? 'warm-up' : 'repetition';
  const rate = format.rate(event.tokensPerSecond);
  io.stderr.write(`${event.kind}  ${what} ${event.repetition}  ${rate} tokens/s\n`);
}

/** The result as a table for a terminal, below a description of model and machine. */
function benchTable(result: BenchResult): string {
  const { model, system } = result;
  const table = columnTable(
    ['tokens/s', 'median', 'min', 'max', 'repetitions'],
    benchRows(result).map(({ name, median, min, max, repetitions }) => [
      name,
      format.rate(median),
      format.rate(min),
      format.rate(max),
      repetitions,
    ]),
  );
  return [
    `${model.description}, ${format.count(model.parameters)} parameters, ${format.bytes(model.bytes)}`,
    `${system.devices.join(', ')}; ${system.threads} threads; llama.cpp ${system.llamaCpp}`,
    table,
  ].join('\n');
}
