import * as format from '../format.js';
import {
  describeAdapter,
  describeOptions,
  estimateMemory,
  finetuneSchema,
  LlamatuneError,
  type LoadedModel,
  loadModel,
  type MemoryEstimate,
  type ModelInfo,
  parseConfig,
} from '../index.js';
import { parseArguments } from './arguments.js';
import type { Command } from './command.js';
import type { JsonObject } from './config-file.js';
import { configurationOf } from './configuration.js';
import { errorEvent } from './failure.js';
import { adaptedLayers, adapterTables, adapterTargets } from './inspect-adapter.js';
import { inspectDataCommand } from './inspect-data.js';
import type { CliIo } from './io.js';
import { jsonLine } from './json.js';
import { type CliOption, cliOptions, commonOptions } from './option.js';
import { columnTable, listTable } from './table.js';

/** The options that the memory estimate depends on. */
const memoryOptions = [
  'model',
  'mode',
  'lora.rank',
  'lora.targets',
  'sequenceLength',
  'batchSize',
  'microBatchTokens',
  'microBatchSize',
  'packing',
  'device',
  'gpuLayers',
  'tensorSplit',
  'placement',
  'rpc',
  'threads',
];
const placementNames = new Set(['device', 'gpuLayers', 'tensorSplit', 'placement', 'rpc']);
const commandOptions: readonly CliOption[] = [
  {
    name: 'tensors',
    kind: 'boolean',
    typeText: 'flag',
    description:
      'Also list every tensor with its type, shape and size (of an adapter: every weight with its rank).',
  },
  {
    name: 'metadata',
    kind: 'boolean',
    typeText: 'flag',
    description: 'Also list the metadata of the file (always listed for an adapter).',
  },
];
const options = [
  ...cliOptions(describeOptions(finetuneSchema)).filter(({ name }) => memoryOptions.includes(name)),
  ...commandOptions,
];
const excludedOptions = new Set([...commandOptions, ...commonOptions].map(({ name }) => name));

export const inspectCommand: Command = {
  help: {
    name: 'inspect',
    summary:
      'Show a GGUF model with its trainable targets and the memory that training needs, a LoRA adapter, or a dataset.',
    usage:
      'inspect <model.gguf> [options]\n       llamatune inspect data --model <path> --dataset <path> [options]',
    options,
    examples: [
      {
        what: 'show the model and the memory for training with the defaults',
        line: 'llamatune inspect base.gguf',
      },
      {
        what: 'look at a dataset (llamatune inspect data --help)',
        line: 'llamatune inspect data --model base.gguf --dataset train.jsonl',
      },
      { what: 'show an adapter', line: 'llamatune inspect adapter.gguf' },
      {
        what: 'estimate the memory for these settings, as JSON',
        line: 'llamatune inspect base.gguf --lora.rank 32 --sequenceLength 2048 --microBatchTokens 4096 --json',
      },
    ],
  },

  subcommands: [inspectDataCommand],

  async run(args, io) {
    const parsed = parseArguments(args, [...options, ...commonOptions], 'inspect');
    const { positionals, values } = parsed;
    const config = configurationOf(parsed, excludedOptions);
    if (positionals.length > 1 || (positionals.length === 1 && values.has('model'))) {
      throw new LlamatuneError(
        'USAGE_INVALID',
        `expected one model but received ${positionals.length + (values.has('model') ? 1 : 0)}`,
        { hint: 'pass one path: llamatune inspect model.gguf' },
      );
    }
    const path = positionals[0] ?? config.model;
    if (typeof path !== 'string' || path === '') {
      throw new LlamatuneError('USAGE_INVALID', 'no model given', {
        hint: 'pass a path: llamatune inspect model.gguf',
      });
    }
    const placement = Object.fromEntries(
      Object.entries(config).filter(([name]) => placementNames.has(name)),
    );
    const loading = loadModel({ ...placement, model: path, signal: io.signal });
    await using model = await loading.catch((error) => {
      if (error instanceof LlamatuneError && error.code === 'MODEL_IS_ADAPTER') return null;
      throw error;
    });
    if (model === null) return showAdapter(path, values, io);
    const training = await trainingOf(model, config);
    const { info } = model;
    if (values.get('json') === true) {
      io.stdout.write(jsonLine({ type: 'model', path, ...jsonInfo(info, values), training }));
      return;
    }
    const parts = [modelTable(path, info), weightTable(info), targetTable(info)];
    if (info.chatTemplate !== null) parts.push(`Chat template:\n${indent(info.chatTemplate)}`);
    if (values.get('metadata') === true) parts.push(metadataList(info.metadata));
    if (values.get('tensors') === true) parts.push(tensorTable(info));
    parts.push(trainingTable(training));
    io.stdout.write(`${parts.join('\n\n')}\n`);
  },
};

async function showAdapter(
  path: string,
  values: ReadonlyMap<string, unknown>,
  io: CliIo,
): Promise<void> {
  const info = await describeAdapter(path);
  const { weights, metadata, ...rest } = info;
  if (values.get('json') === true) {
    const more = {
      targets: adapterTargets(info),
      adaptedLayers: adaptedLayers(info),
      ...(values.get('tensors') === true ? { weights } : {}),
      metadata,
    };
    io.stdout.write(jsonLine({ type: 'adapter', path, ...rest, ...more }));
    return;
  }
  const parts = [...adapterTables(path, info), metadataList(metadata)];
  if (values.get('tensors') === true) {
    parts.push(
      columnTable(
        ['Weight', 'Rank'],
        weights.map(({ name, rank }) => [name, rank]),
      ),
    );
  }
  io.stdout.write(`${parts.join('\n\n')}\n`);
}

/** The memory estimate and its settings, or why the model cannot be trained with them. */
export type Training =
  | ({ possible: true; settings: Settings } & MemoryEstimate)
  | { possible: false; code: string; message: string; hint: string };

type Settings = Pick<
  ReturnType<typeof finetuneSchema.parse>,
  'mode' | 'lora' | 'sequenceLength' | 'microBatchSize'
>;

async function trainingOf(model: LoadedModel, given: JsonObject): Promise<Training> {
  // A configuration file for 'finetune' also works here: memory does not depend on its other fields.
  const { dataset, output, validation, checkpoint, ...rest } = given;
  const trainingFields = Object.entries(rest).filter(([name]) => !placementNames.has(name));
  const options = { ...Object.fromEntries(trainingFields), model } as Parameters<
    typeof estimateMemory
  >[0];
  const complete = { ...options, dataset: [], output: '-' };
  const settings = parseConfig(finetuneSchema, complete, 'inspect options');
  const { mode, lora, microBatchSize } = settings;
  // The default must not exceed the context length of the model.
  const sequenceLength =
    rest.sequenceLength === undefined
      ? Math.min(settings.sequenceLength, model.info.contextLength)
      : settings.sequenceLength;
  try {
    const estimate = await estimateMemory({ ...options, sequenceLength });
    return {
      possible: true,
      settings: { mode, lora, sequenceLength, microBatchSize },
      ...estimate,
    };
  } catch (error) {
    if (!(error instanceof LlamatuneError) || error.code.startsWith('CONFIG_')) throw error;
    const { code, message, hint } = errorEvent(error);
    return { possible: false, code, message, hint };
  }
}

/** Number of tensors and bytes per weight type, largest first. */
export function weightTypes(info: ModelInfo): { type: string; tensors: number; bytes: number }[] {
  const types = new Map<string, { type: string; tensors: number; bytes: number }>();
  for (const { type, bytes } of info.tensors) {
    const known = types.get(type) ?? { type, tensors: 0, bytes: 0 };
    types.set(type, { type, tensors: known.tensors + 1, bytes: known.bytes + bytes });
  }
  return [...types.values()].sort((a, b) => b.bytes - a.bytes);
}

function jsonInfo(info: ModelInfo, values: ReadonlyMap<string, unknown>) {
  const { tensors, metadata, ...rest } = info;
  return {
    ...rest,
    weightTypes: weightTypes(info),
    ...(values.get('tensors') === true ? { tensors } : {}),
    ...(values.get('metadata') === true ? { metadata } : {}),
  };
}

function modelTable(path: string, info: ModelInfo): string {
  const { bosToken, eosToken, eotToken, chatTemplate } = info;
  return listTable([
    ['File', path],
    ['Name', info.name === '' ? '–' : info.name],
    ['Description', info.description],
    ['Architecture', info.architecture],
    ['Parameters', `${format.count(info.parameters)} (${format.integer(info.parameters)})`],
    ['Size', format.bytes(info.bytes)],
    ['Context', `${format.integer(info.contextLength)} tokens`],
    ['Layers', `${info.layers} of width ${format.integer(info.embeddingLength)}`],
    ['Vocabulary', `${format.integer(info.vocabularySize)} tokens`],
    [
      'Special tokens',
      `BOS ${bosToken ?? '–'}, EOS ${eosToken ?? '–'}, end of turn ${eotToken ?? '–'}`,
    ],
    ['Chat template', chatTemplate === null ? 'none' : `${chatTemplate.length} characters`],
  ]);
}

function weightTable(info: ModelInfo): string {
  return columnTable(
    ['Weight type', 'Tensors', 'Size'],
    weightTypes(info).map(({ type, tensors, bytes }) => [type, tensors, format.bytes(bytes)]),
  );
}

function targetTable(info: ModelInfo): string {
  return columnTable(['Trainable target', 'Tensors'], Object.entries(info.trainableTargets));
}

function tensorTable(info: ModelInfo): string {
  return columnTable(
    ['Tensor', 'Type', 'Shape', 'Size'],
    info.tensors.map(({ name, type, shape, bytes }) => [
      name,
      type,
      shape.join(' × '),
      format.bytes(bytes),
    ]),
    2,
  );
}

function trainingTable(training: Training): string {
  if (!training.possible) {
    const hint = training.hint === '' ? '' : `\n  hint: ${training.hint}`;
    return `Training: not possible\n  error ${training.code}: ${training.message}${hint}`;
  }
  const { lora, sequenceLength, microBatchSize = 1 } = training.settings;
  const what = lora === undefined ? 'every parameter' : `adapter of rank ${lora.rank}`;
  const batches =
    training.microBatchTokens === null
      ? `${format.plural(microBatchSize, 'row')} × ${format.integer(sequenceLength)} tokens`
      : `${format.integer(training.microBatchTokens)} tokens`;
  return listTable([
    ['Training', `${what}, micro-batches of ${batches}`],
    ['Memory for training', format.bytes(training.totalBytes)],
    ['  weights', format.bytes(training.weightsBytes)],
    ['  adapter and gradients', format.bytes(training.adapterBytes)],
    ['  optimizer', format.bytes(training.optimizerBytes)],
    ['  activations', format.bytes(training.activationBytes)],
    ['  graphs', format.bytes(training.graphBytes)],
    ['  weight cache', format.bytes(training.weightCacheBytes)],
    ['  this process', format.bytes(training.processBytes)],
    [
      `  activations ${training.gradientCheckpointing ? 'without' : 'with'} gradient checkpointing`,
      format.bytes(
        training.gradientCheckpointing ? training.activationBytesOff : training.activationBytesOn,
      ),
    ],
    ['Available now', format.bytes(training.availableBytes)],
  ]);
}

function metadataList(metadata: Record<string, string>): string {
  const lines = Object.entries(metadata).map(
    ([key, value]) => `  ${key} = ${value.length > 100 ? `${value.slice(0, 99)}…` : value}`,
  );
  return ['Metadata:', ...lines].join('\n');
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
}
