import { join } from 'node:path';
import * as format from '../format.js';
import {
  type ComparedResults,
  compareResults,
  LlamatuneError,
  type PlanEstimate,
  planSuite,
  type RunSuiteOptions,
  readResults,
  readSubmissions,
  renderCommunityTable,
  runSuite,
  type SuiteEvent,
  type SuitePrices,
  withPrices,
  writeReport,
} from '../index.js';
import {
  onlyFolder,
  type ParsedArguments,
  parseArguments,
  refusePositionals,
} from './arguments.js';
import { outputOption } from './bench-submit.js';
import { readConfigFile } from './config-file.js';
import type { CliIo } from './io.js';
import { jsonLine } from './json.js';
import { type CliOption, commonOptions } from './option.js';
import { formatOf, formatOption } from './report-format.js';
import { columnTable } from './table.js';

const priceOptions: readonly CliOption[] = [
  {
    name: 'electricityPricePerKwh',
    kind: 'text',
    typeText: 'price',
    description:
      "With --suite and report: price of a kilowatt-hour for the report, e.g. '0.30 EUR'.",
  },
  {
    name: 'cloudPricePerHour',
    kind: 'text',
    typeText: 'price',
    description:
      "With --suite and report: price of renting this machine for an hour, e.g. '$2.50'.",
  },
];

/** The options of `bench --suite`. */
export const suiteOptions: readonly CliOption[] = [
  {
    name: 'suite',
    kind: 'text',
    typeText: 'name or path',
    description:
      'Run a benchmark suite: smoke, small, medium, full, all, peft, or a JSON file with your own suite.',
  },
  outputOption,
  {
    name: 'resume',
    kind: 'boolean',
    typeText: 'flag',
    description: 'With --suite: continue the results in the folder.',
  },
  {
    name: 'dryRun',
    kind: 'boolean',
    typeText: 'flag',
    description: 'With --suite: print the trials and run none.',
  },
  {
    name: 'modelCache',
    kind: 'text',
    typeText: 'path',
    description:
      "With --suite: folder for models that the suite makes. Default: the user's cache folder.",
  },
  ...priceOptions,
];

const options = [...suiteOptions, ...commonOptions];

/** Whether the arguments ask for a suite. */
export const asksForSuite = (args: readonly string[]): boolean =>
  args.some((argument) => argument === '--suite' || argument.startsWith('--suite='));

/** llamatune bench --suite … */
export async function runSuiteCommand(args: readonly string[], io: CliIo): Promise<void> {
  const parsed = parseArguments(args, options, 'bench');
  refusePositionals(parsed, 'bench');
  const json = parsed.values.get('json') === true;
  const text = (name: string) => parsed.values.get(name) as string | undefined;
  const suite = suiteOf(parsed);
  if (parsed.values.get('dryRun') === true) {
    const plan = await planSuite({ suite, modelCache: text('modelCache') });
    io.stdout.write(json ? jsonLine({ type: 'plan', ...plan }) : planText(plan));
    return;
  }
  const output = required(parsed, 'output');
  const run = runSuite({
    suite,
    output,
    resume: parsed.values.get('resume') === true,
    modelCache: text('modelCache'),
    ...pricesOf(parsed),
    signal: io.signal,
  });
  for await (const event of run) {
    if (json) io.stdout.write(jsonLine(event));
    else io.stderr.write(eventText(event));
  }
  const results = await run.result;
  const files = [join(output, 'results.json'), ...writeReport(results, output)];
  io.stdout.write(json ? jsonLine({ type: 'done', files }) : `${files.slice(0, 4).join('\n')}\n`);
}

const pricesOf = ({ values }: ParsedArguments): SuitePrices =>
  Object.fromEntries(
    priceOptions.flatMap(({ name }) => (values.has(name) ? [[name, values.get(name)]] : [])),
  );

function suiteOf({ values }: ParsedArguments): RunSuiteOptions['suite'] {
  const given = values.get('suite') as string;
  const isFile = /[./\\]/.test(given);
  return (isFile ? readConfigFile(given) : given) as RunSuiteOptions['suite'];
}

function required({ values }: ParsedArguments, name: string): string {
  const value = values.get(name);
  if (typeof value === 'string') return value;
  throw new LlamatuneError('USAGE_INVALID', `expected --${name} with --suite`, {
    hint: 'name a folder for the results, e.g. --output bench-results',
  });
}

function planText({ trials, seconds, diskBytes }: PlanEstimate): string {
  const table = columnTable(
    ['benchmark', 'model', 'weights', 'device', 'trial', 'time', 'memory'],
    trials.map((trial) => [
      trial.benchmark,
      trial.spec.model,
      trial.spec.weightType,
      trial.spec.device,
      trial.label,
      format.duration(trial.seconds === null ? null : 1000 * trial.seconds),
      format.bytes(trial.memoryBytes),
    ]),
    5,
  );
  return (
    `${table}\n${format.plural(trials.length, 'trial')}, about ${format.duration(1000 * seconds)} on the CPU; ` +
    `models to make: ${format.bytes(diskBytes)}\n`
  );
}

function eventText(event: SuiteEvent): string {
  switch (event.type) {
    case 'plan':
      return `${format.plural(event.trials.length, 'trial')}, ${event.finished} of them finished earlier\n`;
    case 'model':
      return `making ${event.path}\n`;
    case 'trial':
      return `[${event.index + 1}/${event.of}] ${event.key}  ETA ${format.duration(event.etaMs)}\n`;
    case 'sample': {
      const { outcome, measures, seconds } = event.trial;
      const speed = measures.tokensPerSecond;
      const text =
        outcome.status === 'ok'
          ? `${format.rate(speed?.median)} tokens/s`
          : `${outcome.status}: ${outcome.message}`;
      return `    ${text}  (${format.duration(seconds * 1000)})\n`;
    }
    case 'progress':
      return '';
  }
}

const compareOptions: readonly CliOption[] = [
  {
    name: 'tolerance',
    kind: 'number',
    typeText: 'number',
    description: 'Smallest difference that counts, as a fraction. Default: 0.05.',
  },
];

/** llamatune bench compare before.json after.json */
export async function compareCommand(args: readonly string[], io: CliIo): Promise<void> {
  const { values, positionals } = parseArguments(
    args,
    [...compareOptions, ...commonOptions],
    'bench',
  );
  const [before, after, ...others] = positionals;
  if (before === undefined || after === undefined || others.length > 0) {
    throw new LlamatuneError(
      'USAGE_INVALID',
      `expected two results but received ${positionals.length}`,
      { hint: 'llamatune bench compare before/results.json after/results.json' },
    );
  }
  const tolerance = values.get('tolerance') as number | undefined;
  const compared = compareResults(readResults(before), readResults(after), { tolerance });
  io.stdout.write(
    values.get('json') === true ? jsonLine(compared) : `${comparisonText(compared)}\n`,
  );
  const worse = compared.comparisons.filter(({ verdict }) => verdict === 'worse');
  if (worse.length > 0) {
    throw new LlamatuneError(
      'BENCHMARK_WORSE',
      `${format.plural(worse.length, 'measurement')} beyond noise worse than before`,
      { hint: 'repeat both on a quiet machine, or raise --tolerance' },
    );
  }
}

function comparisonText({ comparisons, notCompared, meanSpeedRatio }: ComparedResults): string {
  const table = columnTable(
    ['trial', 'measure', 'ratio', '95 % interval', ''],
    comparisons.map(({ key, measure, ratio, interval, verdict }) => [
      key,
      measure,
      ratio.toFixed(3),
      interval === null ? 'n/a' : `${interval[0].toFixed(3)} to ${interval[1].toFixed(3)}`,
      verdict,
    ]),
    2,
  );
  return [
    table,
    ...(meanSpeedRatio === null ? [] : [`mean speed ratio ${meanSpeedRatio.toFixed(3)}`]),
    ...(notCompared.length === 0 ? [] : [`not compared: ${notCompared.join('; ')}`]),
  ].join('\n');
}

/** llamatune bench report FOLDER */
export async function reportCommand(args: readonly string[], io: CliIo): Promise<void> {
  const parsed = parseArguments(args, [...priceOptions, ...commonOptions], 'bench');
  const folder = onlyFolder(parsed, 'llamatune bench report bench-results');
  const results = withPrices(readResults(join(folder, 'results.json')), pricesOf(parsed));
  const files = writeReport(results, folder);
  io.stdout.write(`${files.slice(0, 3).join('\n')}\n`);
}

/** The options of `bench table`. */
export const tableOptions = [formatOption('With table: how the tables are written.')];

/** llamatune bench table FOLDER */
export async function tableCommand(args: readonly string[], io: CliIo): Promise<void> {
  const parsed = parseArguments(args, [...tableOptions, ...commonOptions], 'bench');
  const folder = onlyFolder(parsed, 'llamatune bench table benchmarks/community');
  const format = formatOf(parsed, 'llamatune bench table benchmarks/community --format markdown');
  io.stdout.write(renderCommunityTable(readSubmissions(folder), { format }));
}
