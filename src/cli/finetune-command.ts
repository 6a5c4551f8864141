import { replaceFile } from '../files/atomic-file.js';
import { checkFiles } from '../files/check.js';
import { holdOutputs } from '../files/lock.js';
import { filesOfRun } from '../files/run-files.js';
import {
  createRunLog,
  describeOptions,
  type FinetuneEvent,
  type FinetuneOptions,
  finetune,
  finetuneSchema,
  LlamatuneError,
  parseConfig,
  type RunLogWriter,
  renderLossCurve,
  renderLossCurveHtml,
} from '../index.js';
import { type ParsedArguments, parseArguments, refusePositionals } from './arguments.js';
import type { Command } from './command.js';
import type { JsonObject } from './config-file.js';
import { commandOutput, configFile, configurationOf } from './configuration.js';
import { type FinetuneView, finetuneView } from './finetune-view.js';
import { type CliOption, cliOptions, commonOptions } from './option.js';
import { versions } from './version.js';

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
    name: 'runLog',
    kind: 'text',
    typeText: 'path',
    description: 'Write the configuration and every event to this file as JSON Lines.',
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
    const complete = parseConfig(finetuneSchema, config, 'finetune options');
    const curve = commandOutput(parsed, 'lossCurve', 'file');
    const log = commandOutput(parsed, 'runLog', 'log');
    if (curve !== undefined && !/\.(svg|html?)$/i.test(curve.path)) {
      throw new LlamatuneError(
        'USAGE_INVALID',
        `expected a path ending in .svg or .html for --lossCurve but received ${curve.path}`,
        { hint: 'name the file loss.svg or loss.html' },
      );
    }
    const { inputs, outputs } = filesOfRun(complete);
    const commandOutputs = [log, curve].filter((output) => output !== undefined);
    checkFiles({
      inputs: [...inputs, ...configFile(parsed)],
      outputs: [...outputs, ...commandOutputs],
    });
    await holdOutputs(curve === undefined ? [] : [curve], async () => {
      const view = finetuneView(io, parsed.values.get('json') === true);
      const header = { config: complete, versions: versions() };
      const record = recorder(log === undefined ? undefined : createRunLog(log.path, header), view);
      const history: FinetuneEvent[] = [];
      const run = finetune({ ...config, signal: io.signal } as FinetuneOptions);
      try {
        for await (const event of run) {
          record.write(event);
          if (curve !== undefined) history.push(event);
          view.show(event);
        }
        await run.result;
      } finally {
        await run[Symbol.asyncDispose]();
        view.close();
        record.close();
      }
      if (curve !== undefined) replaceFile(curve.path, drawing(curve.path, history), 'loss curve');
      if (record.failure !== undefined) throw record.failure;
    });
  },
};

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

/**
 * Writes to a run log, if there is one. A log that cannot be written, e.g. on a full disk, ends a run that is about to
 * train, but not one that has trained.
 */
function recorder(log: RunLogWriter | undefined, view: FinetuneView) {
  let failure: LlamatuneError | undefined;
  const unlessFailed = (work: () => void, ends = false) => {
    if (failure !== undefined) return;
    try {
      work();
    } catch (error) {
      if (ends || !(error instanceof LlamatuneError)) throw error;
      failure = error;
      const message = `${error.message}; the run continues without it`;
      view.show({ type: 'warning', code: error.code, message });
    }
  };
  return {
    write: (event: FinetuneEvent) =>
      unlessFailed(() => log?.write(event), event.type === 'phase' && event.phase === 'train'),
    close: () => unlessFailed(() => log?.close()),
    get failure() {
      return failure;
    },
  };
}
