import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  createRunLog,
  describeOptions,
  type FinetuneEvent,
  type FinetuneOptions,
  finetuneLora,
  finetuneSchema,
  LlamatuneError,
  parseConfig,
  renderLossCurve,
  renderLossCurveHtml,
} from '../index.js';
import { parseArguments, refusePositionals } from './arguments.js';
import type { Command } from './command.js';
import { configurationOf } from './configuration.js';
import { finetuneView } from './finetune-view.js';
import { type CliOption, cliOptions, commonOptions } from './option.js';
import { versions } from './version.js';

const ownOptions: readonly CliOption[] = [
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
const options = [...cliOptions(describeOptions(finetuneSchema)), ...ownOptions];
const own = new Set([...ownOptions, ...commonOptions].map(({ name }) => name));

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
        what: 'read the configuration from a file, override one option, write events for another program',
        line: 'llamatune finetune --config finetune.json --optimizer.learningRate 5e-5 --json',
      },
    ],
  },

  async run(args, io) {
    const parsed = parseArguments(args, [...options, ...commonOptions], 'finetune');
    refusePositionals(parsed, 'finetune');
    const config = configurationOf(parsed, own);
    // Checked here already, so that bad options leave no log behind.
    const complete = parseConfig(finetuneSchema, config, 'finetune options');
    const curvePath = parsed.values.get('lossCurve') as string | undefined;
    if (curvePath !== undefined && !/\.(svg|html?)$/i.test(curvePath)) {
      throw new LlamatuneError(
        'USAGE_INVALID',
        `expected a path ending in .svg or .html for --lossCurve but received ${curvePath}`,
        { hint: 'name the file loss.svg or loss.html' },
      );
    }
    const logPath = parsed.values.get('runLog') as string | undefined;
    const log =
      logPath === undefined
        ? undefined
        : createRunLog(logPath, { config: complete, versions: versions() });
    const view = finetuneView(io, parsed.values.get('json') === true);
    const history: FinetuneEvent[] = [];
    try {
      const run = finetuneLora({ ...config, signal: io.signal } as FinetuneOptions);
      for await (const event of run) {
        log?.write(event);
        if (curvePath !== undefined) history.push(event);
        view.show(event);
      }
      await run.result;
    } finally {
      view.close();
      log?.close();
    }
    if (curvePath !== undefined) writeCurve(curvePath, history);
  },
};

function writeCurve(path: string, history: readonly FinetuneEvent[]): void {
  const draw = /\.svg$/i.test(path) ? renderLossCurve : renderLossCurveHtml;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, draw(history));
  } catch (cause) {
    throw new LlamatuneError(
      'OUTPUT_NOT_WRITABLE',
      `cannot write the loss curve ${path}: ${(cause as Error).message}`,
      { hint: 'the adapter has been written; choose another path for --lossCurve', cause },
    );
  }
}
