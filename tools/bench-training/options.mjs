// The command line of the benchmark.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { runMain } from '../../scripts/native-build.mjs';
import { BuildError } from '../../scripts/tools.mjs';
import { realModels, typeOf } from './real-models.mjs';
import { shapes } from './shapes.mjs';

export const usage = `npm run bench:training -- [options]

what to measure; separate values by commas to measure all combinations
  --model a,b        ${Object.keys(shapes).join(', ')}   (qwen3-0.6b)
  --type a,b         Q4_K_M, Q8_0, F16, or another weight type   (Q8_0)
  --sequence n,n     tokens per row   (512)
  --micro-batch n,n  rows' worth of tokens per forward and backward pass   (2048 tokens' worth)
  --precision a,b    bf16, f32   (bf16)
  --gradient-checkpointing a,b   auto, on, off   (auto)
  --weight-cache a,b auto, on, off   (auto)
  --rank n           rank of the LoRA pairs   (8)
  --targets which    layers with LoRA pairs: all, including experts, or attention   (all)
  --ragged           samples with the lengths of chat data instead of full rows
  --padded           one sample in each row, padded to its end, instead of the default layout without padding
  --all              every model (without llama3.1-8b and qwen3-30b-a3b), type and sequence (128, 512, 2048), full and ragged, except where set above
real data instead, with the default options of finetune()
  --model-file path  a GGUF file, or ${realModels.join(', ')}, which is downloaded
  --data path        a dataset of finetune(); --batch n samples per optimizer step (8); with --padded, --micro-batch
                     rows at a time (1)
how
  --threads n        0 = one per physical core   (0)
  --steps n          optimizer steps to measure   (5)
  --warmup n         warm-up steps before them   (1)
  --profile          print the time of every op; slower
output
  --json             one JSON object per row on standard output (use npm run --silent)
  --save             write benchmarks/results/<date>-<host kind>.json and .md
  --models-dir path  folder for the models   (.cache/bench-models)`;

/** An error in the command line, which is printed with the usage. */
export class UsageError extends Error {}

/** Runs the main function of a benchmark; prints expected errors without a stack. */
export const runBenchmark = (main, help) =>
  runMain(async () => {
    try {
      await main();
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw new BuildError(error.message, `\n${help}`);
    }
  });

const types = ['Q4_K_M', 'Q8_0', 'F16'];
const sequences = [128, 512, 2048];

export function readNumber(text, name, least) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) {
    throw new UsageError(
      `expected a whole number of at least ${least} for --${name} but received '${text}'`,
    );
  }
  return value;
}

export function readChoice(text, name, choices) {
  if (!choices.includes(text)) {
    throw new UsageError(`expected ${choices.join(' or ')} for --${name} but received '${text}'`);
  }
  return text;
}

/** parseArgs() with --help and with UsageErrors. */
export function readArguments(args, options) {
  const help = { type: 'boolean', short: 'h', default: false };
  try {
    return parseArgs({ args, options: { ...options, help } }).values;
  } catch (error) {
    throw new UsageError(error.message);
  }
}

/** @returns {{ rows: object[], json: boolean, save: boolean, help: boolean, modelsDirectory?: string }} */
export function parseOptions(argv) {
  const list = { type: 'string', multiple: true };
  const text = { type: 'string' };
  const flag = { type: 'boolean', default: false };
  const values = readArguments(argv, {
    model: list,
    type: list,
    sequence: list,
    'micro-batch': list,
    precision: list,
    'gradient-checkpointing': list,
    'weight-cache': list,
    ragged: flag,
    padded: flag,
    'model-file': text,
    data: text,
    batch: text,
    all: flag,
    rank: text,
    targets: text,
    threads: text,
    steps: text,
    warmup: text,
    profile: flag,
    json: flag,
    save: flag,
    'models-dir': text,
  });
  const { all } = values;
  const several = (name, read, fallback) => {
    const given = values[name]?.flatMap((part) => part.split(','));
    return given === undefined ? fallback : given.map((part) => read(part, name));
  };
  const autoOnOff = (name) =>
    several(name, (part) => readChoice(part, name, ['auto', 'on', 'off']), ['auto']);
  const one = (name, least, fallback) =>
    values[name] === undefined ? fallback : readNumber(values[name], name, least);
  const known = Object.keys(shapes);
  const measurable = known.filter(
    (name) => !['tiny', 'llama3.1-8b', 'qwen3-30b-a3b'].includes(name),
  );
  const common = {
    layout: values.padded ? 'padded' : 'padding-free',
    threads: one('threads', 0, 0),
    steps: one('steps', 1, 5),
    warmup: one('warmup', 0, 1),
    profile: values.profile,
    rank: one('rank', 1, 8),
    targets: readChoice(values.targets ?? 'all', 'targets', ['all', 'attention']),
    seed: 1,
  };
  const real = realRun(values, one('batch', 1, 8));
  const dimensions = {
    model: several(
      'model',
      (part, name) => readChoice(part, name, known),
      all ? measurable : ['qwen3-0.6b'],
    ),
    type: several('type', (part) => part.toUpperCase(), all ? types : ['Q8_0']),
    precision: several('precision', (part, name) => readChoice(part, name, ['bf16', 'f32']), [
      'bf16',
    ]),
    gradientCheckpointing: autoOnOff('gradient-checkpointing'),
    weightCache: autoOnOff('weight-cache'),
    sequence: several(
      'sequence',
      (part, name) => readNumber(part, name, 2),
      all ? sequences : [512],
    ),
    microBatch: several('micro-batch', (part, name) => readNumber(part, name, 1), [undefined]),
    ragged: all && !values.ragged ? [false, true] : [values.ragged],
  };
  const rows = combinations(dimensions).map((row) => ({
    ...row,
    ...common,
    ...real,
    microBatch: row.microBatch ?? microBatchOf(real, values.padded, row.sequence),
  }));
  return {
    rows,
    json: values.json,
    save: values.save,
    help: values.help,
    modelsDirectory: values['models-dir'],
  };
}

/** The default of --micro-batch; null for real data without padding, whose micro-batches finetune() chooses. */
function microBatchOf({ data }, padded, sequence) {
  if (data === undefined) return Math.max(1, Math.floor(2048 / sequence));
  return padded ? 1 : null;
}

/** The options of a run on a user's model and data; none if a made model is measured. */
function realRun(values, batchSize) {
  const { 'model-file': file, data } = values;
  if ((file === undefined) !== (data === undefined)) {
    throw new UsageError('--model-file and --data go together');
  }
  if (file === undefined) return {};
  if (values['micro-batch'] !== undefined && !values.padded) {
    throw new UsageError('--micro-batch of real data needs --padded');
  }
  return { model: path.basename(file, '.gguf'), file, type: typeOf(file), data, batchSize };
}

/** { a: [1, 2], b: [3] } → [{ a: 1, b: 3 }, { a: 2, b: 3 }] */
function combinations(dimensions) {
  return Object.entries(dimensions).reduce(
    (rows, [name, values]) =>
      rows.flatMap((row) => values.map((value) => ({ ...row, [name]: value }))),
    [{}],
  );
}
