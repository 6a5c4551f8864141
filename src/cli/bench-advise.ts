import * as format from '../format.js';
import {
  type ChinchillaAdvice,
  type ChinchillaOptions,
  chinchillaAdvice,
  chinchillaSchema,
  countTokens,
  describeOptions,
  LlamatuneError,
  loadModel,
} from '../index.js';
import { parseArguments, refusePositionals } from './arguments.js';
import { configurationOf } from './configuration.js';
import type { CliIo } from './io.js';
import { jsonLine } from './json.js';
import { type CliOption, cliOptions, commonOptions } from './option.js';
import { columnTable, listTable } from './table.js';

const modelOption: CliOption = {
  name: 'model',
  kind: 'text',
  typeText: 'path',
  description: 'Count the parameters of this model.',
};
const datasetOption: CliOption = {
  name: 'dataset',
  kind: 'text',
  typeText: 'path',
  description: 'Count the tokens of this dataset; needs a model.',
};
const fileOptions = [modelOption, datasetOption];
const options = [...cliOptions(describeOptions(chinchillaSchema)), ...fileOptions];
const excludedOptions = new Set([...fileOptions, ...commonOptions].map(({ name }) => name));

const HINT =
  'llamatune bench advise --model base.gguf --dataset train.jsonl, or --parameters and --tokens';

/** llamatune bench advise --model base.gguf --dataset train.jsonl */
export async function adviseCommand(args: readonly string[], io: CliIo): Promise<void> {
  const parsed = parseArguments(args, [...options, ...commonOptions], 'bench');
  refusePositionals(parsed, 'bench');
  const config = configurationOf(parsed, excludedOptions);
  const path = parsed.values.get('model') as string | undefined;
  const dataset = parsed.values.get('dataset') as string | undefined;
  if (dataset !== undefined && (path === undefined || config.tokens !== undefined)) {
    const expected = path === undefined ? '--dataset with --model' : '--dataset or --tokens';
    const received = path === undefined ? 'no model' : 'both';
    throw new LlamatuneError('USAGE_INVALID', `expected ${expected} but received ${received}`, {
      hint: HINT,
    });
  }
  if (path !== undefined) {
    const { signal } = io;
    await using model = await loadModel({ model: path, gpuLayers: 0, signal });
    config.parameters ??= model.info.parameters;
    if (dataset !== undefined) {
      config.tokens ??= (await countTokens({ model, dataset, signal })).tokens;
    }
  }
  if (config.parameters === undefined || config.tokens === undefined) {
    const missing = config.parameters === undefined ? 'parameters' : 'tokens';
    throw new LlamatuneError('USAGE_INVALID', `expected the number of ${missing}`, { hint: HINT });
  }
  const advice = chinchillaAdvice(config as ChinchillaOptions);
  io.stdout.write(
    parsed.values.get('json') === true
      ? jsonLine({ type: 'advice', ...advice })
      : `${adviceText(advice)}\n`,
  );
}

/** The advice as a table, with what is not known and the sources. */
function adviceText(advice: ChinchillaAdvice): string {
  const { rule, fit, epochs, trainedTokens, effectiveTokens, flop, notes, sources } = advice;
  const list = (title: string, items: readonly string[]) =>
    `${title}\n${items.map((item) => `  • ${item}`).join('\n')}`;
  return [
    columnTable(
      ['compute-optimal', 'tokens', 'per parameter', 'epochs of the dataset'],
      ([['20 tokens per parameter', rule] as const, ['fitted loss', fit] as const] as const).map(
        ([name, { tokens, tokensPerParameter, epochs: all }]) => [
          name,
          format.count(tokens),
          tokensPerParameter.toPrecision(3),
          format.rate(all),
        ],
      ),
    ),
    listTable([
      ['Advice', format.plural(epochs, 'epoch')],
      ['Tokens', format.integer(trainedTokens)],
      ['Worth as much fresh data', `${format.integer(Math.round(effectiveTokens))} tokens`],
      ['Compute', `${flop.toExponential(2)} FLOP`],
    ]),
    list('What this does not know', notes),
    list('Sources', sources),
  ].join('\n\n');
}
