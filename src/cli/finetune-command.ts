import { replaceFile } from '../files/atomic-file.js';
import { checkFiles, type OutputFile } from '../files/check.js';
import { holdOutputs } from '../files/lock.js';
import { curveOfOutput, expertsOfOutput } from '../files/names.js';
import { filesOfRun } from '../files/run-files.js';
import {
  describeOptions,
  type FinetuneEvent,
  type FinetuneOptions,
  finetune,
  finetuneSchema,
  LlamatuneError,
  parseConfig,
  renderLossCurve,
  renderLossCurveHtml,
} from '../index.js';
import { type ParsedArguments, parseArguments, refusePositionals } from './arguments.js';
import type { Command } from './command.js';
import type { JsonObject } from './config-file.js';
import { commandOutput, configFile, configurationOf } from './configuration.js';
import { finetuneView } from './finetune-view.js';
import { type CliOption, cliOptions, commonOptions } from './option.js';
import { showRun } from './show-run.js';

/** On the command line `checkpoint.resume` is a text, so the options that may differ have an option of their own. */
const RESUME_ALLOW = 'checkpoint.resume.allow';
const commandOptions: readonly CliOption[] = [
  {
    name: RESUME_ALLOW,
    kind: 'list',
    typeText: 'option,…',
    description:
      'Options that may differ from those of the run that wrote the checkpoint: dataset,optimizer.learningRate.',
  },
  {
    name: 'lossCurve',
    kind: 'text',
    typeText: 'path',
    description:
      'Draw the loss curve at the end of the run: .svg for a picture, .html for an interactive page.',
  },
];
const options = [...cliOptions(describeOptions(finetuneSchema)), ...commandOptions];
const excludedOptions = new Set([...commandOptions, ...commonOptions].map(({ name }) => name));

export const finetuneCommand: Command = {
  help: {
    name: 'finetune',
    summary: 'Fine-tune a GGUF model on a dataset and write a LoRA adapter.',
    usage: 'finetune --model <path> --dataset <path> --output <path> [options]',
    options,
    examples: [
      {
        what: 'train an adapter with the defaults and draw the loss curve',
        line: 'llamatune finetune --model base.gguf --dataset train.jsonl --output adapter.gguf --lossCurve loss.svg',
      },
      {
        what: 'train attention only for three epochs, with 5 % of the data for validation',
        line: 'llamatune finetune --model base.gguf --dataset train.jsonl --output adapter.gguf \\\n    --epochs 3 --lora.rank 16 --lora.targets attn_q,attn_k,attn_v --validation.split 0.05 --validation.everySteps 50',
      },
      {
        what: 'write a checkpoint every 50 steps and on Ctrl-C, and continue from the newest one if there is one',
        line: 'llamatune finetune --model base.gguf --dataset train.jsonl --output adapter.gguf \\\n    --checkpoint.directory checkpoints --checkpoint.everySteps 50 --checkpoint.resume auto',
      },
      {
        what: 'read the configuration from a file, override one option, write events for another program',
        line: 'llamatune finetune --config finetune.json --optimizer.learningRate 5e-5 --json',
      },
    ],
  },

  async run(args, io) {
    const parsed = parseArguments(args, [...options, ...commonOptions], 'finetune');
    refusePositionals(parsed, 'finetune');
    const config = withAllowed(configurationOf(parsed, excludedOptions), parsed);
    const complete = withDefaults(config);
    const curve = commandOutput(parsed, 'lossCurve');
    if (curve !== undefined && !/\.(svg|html?)$/i.test(curve.path)) {
      throw new LlamatuneError(
        'USAGE_INVALID',
        `expected a path ending in .svg or .html for --lossCurve but received ${curve.path}`,
        { hint: 'name the file loss.svg or loss.html' },
      );
    }
    const { inputs, outputs } = filesOfRun(complete);
    const newFolders = checkFiles({
      inputs: [...inputs, ...configFile(parsed)],
      outputs: [...outputs, ...picturesOfCard(complete), ...(curve === undefined ? [] : [curve])],
    });
    const train = async () => {
      const view = finetuneView(io, parsed.values.get('json') === true);
      const history: FinetuneEvent[] = [];
      const run = finetune({ ...config, signal: io.signal } as FinetuneOptions);
      await showRun(run, {
        ...view,
        show: (event) => {
          if (curve !== undefined) history.push(event);
          view.show(event);
        },
      });
      if (curve !== undefined) replaceFile(curve.path, drawing(curve.path, history), 'loss curve');
    };
    await holdOutputs(curve === undefined ? [] : [curve], train, newFolders);
  },
};

/** The pictures that the model card shows, which must not be the picture of `--lossCurve`. */
const picturesOfCard = ({ output, modelCard }: ReturnType<typeof withDefaults>): OutputFile[] =>
  modelCard
    ? [curveOfOutput(output), expertsOfOutput(output)].map((path) => ({
        ...{ field: 'modelCard', path, kind: 'file', compareOnly: true },
      }))
    : [];

const withDefaults = (config: JsonObject) =>
  parseConfig(finetuneSchema, config, 'finetune options');

/** The configuration with `checkpoint.resume.allow`, if it is given. */
function withAllowed(config: JsonObject, { values }: ParsedArguments): JsonObject {
  const allow = values.get(RESUME_ALLOW);
  if (allow === undefined) return config;
  const checkpoint = (config.checkpoint ?? {}) as JsonObject;
  const { resume = {} } = checkpoint;
  const given = typeof resume === 'object' ? (resume as JsonObject) : { from: resume };
  return { ...config, checkpoint: { ...checkpoint, resume: { ...given, allow } } };
}

function drawing(path: string, history: readonly FinetuneEvent[]): string {
  return /\.svg$/i.test(path) ? renderLossCurve(history) : renderLossCurveHtml(history);
}
