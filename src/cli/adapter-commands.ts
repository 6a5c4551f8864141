import { checkFiles } from '../files/check.js';
import { peftFiles } from '../files/names.js';
import {
  describeOptions,
  type ExportAdapterOptions,
  exportAdapter,
  exportAdapterSchema,
  type ImportAdapterOptions,
  importAdapter,
  importAdapterSchema,
  type MergeAdapterOptions,
  mergeAdapter,
  mergeAdapterSchema,
} from '../index.js';
import { type ParsedArguments, parseArguments, refusePositionals } from './arguments.js';
import type { Command } from './command.js';
import { configFile, configurationOf } from './configuration.js';
import type { CommandHelp } from './help.js';
import { adapterTables } from './inspect-adapter.js';
import type { CliIo } from './io.js';
import { jsonLine } from './json.js';
import { cliOptions, commonOptions } from './option.js';

const common = new Set(commonOptions.map(({ name }) => name));

/** A merged model that kept less of its adapter than this may answer differently. */
const WARN_BELOW = 0.9;

/** What a command writes: an object with --json, else a text. */
interface Outcome {
  json: object;
  text: string;
}

/** A command whose options are those of one call. `filesOf` gives the files that it writes. */
function adapterCommand<Options>(
  help: Omit<CommandHelp, 'options'>,
  schema: Parameters<typeof describeOptions>[0],
  call: (options: Options, io: CliIo, json: boolean) => Promise<Outcome>,
  filesOf = (output: string): string[] => [output],
): Command {
  const options = cliOptions(describeOptions(schema));
  return {
    help: { ...help, options },
    async run(args, io) {
      const parsed = parseArguments(args, [...options, ...commonOptions], help.name);
      refusePositionals(parsed, help.name);
      const config = configurationOf(parsed, common);
      if (typeof config.output === 'string') refuseToReplaceConfig(parsed, filesOf(config.output));
      const json = parsed.values.get('json') === true;
      const outcome = await call({ ...config, signal: io.signal } as Options, io, json);
      io.stdout.write(json ? jsonLine(outcome.json) : `${outcome.text}\n`);
    },
  };
}

/** The call checks its other files, but does not know the file of `--config`. */
function refuseToReplaceConfig(parsed: ParsedArguments, paths: readonly string[]): void {
  const outputs = paths.map(
    (path) => ({ field: 'output', path, kind: 'file', compareOnly: true }) as const,
  );
  checkFiles({ inputs: configFile(parsed), outputs });
}

export const exportCommand = adapterCommand<ExportAdapterOptions>(
  {
    name: 'export',
    summary: 'Write a LoRA adapter as PEFT does, for Transformers, vLLM and similar tools.',
    usage: 'export --model <path> --adapter <path> --output <folder> [options]',
    examples: [
      {
        what: 'write adapter_model.safetensors and adapter_config.json into the folder peft',
        line: 'llamatune export --model base.gguf --adapter adapter.gguf --output peft --baseModel Qwen/Qwen3-0.6B',
      },
      {
        what: 'use the names of another class of Transformers than the default one',
        line: 'llamatune export --model gemma-3.gguf --adapter adapter.gguf --output peft \\\n    --modelClass Gemma3ForConditionalGeneration',
      },
    ],
  },
  exportAdapterSchema,
  async (options) => {
    const exported = await exportAdapter(options);
    const { output, modelClass, modules } = exported;
    return {
      json: { type: 'exported', ...exported },
      text: `wrote ${output}: ${modules} modules of ${modelClass}`,
    };
  },
  peftFiles,
);

export const importCommand = adapterCommand<ImportAdapterOptions>(
  {
    name: 'import',
    summary: 'Convert a LoRA adapter of PEFT to a GGUF adapter.',
    usage: 'import --model <path> --adapter <folder> --output <path>',
    examples: [
      {
        what: 'convert the adapter in the folder peft',
        line: 'llamatune import --model base.gguf --adapter peft --output adapter.gguf',
      },
      {
        what: 'then train it further',
        line: 'llamatune finetune --model base.gguf --dataset train.jsonl --output better.gguf --lora.initAdapter adapter.gguf',
      },
    ],
  },
  importAdapterSchema,
  async (options) => {
    const info = await importAdapter(options);
    const { weights, metadata, ...rest } = info;
    return {
      json: { type: 'imported', output: options.output, ...rest },
      text: adapterTables(options.output, info).join('\n\n'),
    };
  },
);

export const mergeCommand = adapterCommand<MergeAdapterOptions>(
  {
    name: 'merge',
    summary: 'Add a LoRA adapter to the weights of its model and write a whole GGUF model.',
    usage: 'merge --model <path> --adapter <path> --output <path> [options]',
    examples: [
      {
        what: 'merge, keeping the type of each weight',
        line: 'llamatune merge --model base.gguf --adapter adapter.gguf --output merged.gguf',
      },
      {
        what: 'merge into a model in F16 and quantize the result',
        line: 'llamatune merge --model base-f16.gguf --adapter adapter.gguf --output merged.gguf --type Q4_K_M',
      },
    ],
  },
  mergeAdapterSchema,
  async (options, io, json) => {
    const onProgress = (fraction: number) => {
      if (json) io.stdout.write(jsonLine({ type: 'progress', fraction }));
      else if (io.stderr.isTTY) io.stderr.write(`\rmerging ${Math.floor(100 * fraction)} %`);
    };
    const merged = await mergeAdapter({ ...options, onProgress }).finally(() => {
      if (!json && io.stderr.isTTY) io.stderr.write('\r\u001b[K');
    });
    const { output, keptUpdate, warnings } = merged;
    for (const { message } of warnings) io.stderr.write(`warning: ${message}\n`);
    if (keptUpdate < WARN_BELOW) {
      const kept = `${Math.round(100 * keptUpdate)} % of the adapter's update`;
      io.stderr.write(`warning: only ${kept} survived rounding; merge with --type F16 or Q8_0\n`);
    }
    return { json: { type: 'merged', ...merged }, text: `wrote ${output}` };
  },
);
