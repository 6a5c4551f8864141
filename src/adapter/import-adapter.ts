import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type ImportAdapterOptions, importAdapterSchema } from '../config/adapter-files.js';
import { parseConfig } from '../config/parse.js';
import { native } from '../contract/load.js';
import type { AdapterInfo, AdapterValues } from '../contract/model.js';
import { throwIfAborted } from '../contract/run.js';
import { LlamatuneError } from '../errors.js';
import { useFiles } from '../files/lock.js';
import { peftFiles } from '../files/names.js';
import { modelFile } from '../files/run-files.js';
import { describeAdapter } from '../model/describe-adapter.js';
import { baseModelOf, useBaseModel } from './base-model.js';
import { fromPeft, type Imported } from './from-peft.js';
import { variantsOf } from './names.js';
import { type PeftConfig, readPeftConfig } from './peft-config.js';
import { readSafetensors, type Tensor } from './safetensors.js';
import type { BaseModel, NamedFactors } from './to-peft.js';

/**
 * Converts a LoRA adapter of PEFT to a GGUF adapter, for `generate()`, for further training and for llama.cpp.
 *
 * @returns the description of the written adapter
 * @throws LlamatuneError CONFIG_INVALID, ADAPTER_NOT_FOUND, ADAPTER_UNREADABLE, ADAPTER_INVALID, ADAPTER_UNSUPPORTED (names
 * what a GGUF adapter cannot have, or the modules without a counterpart in the model), OUTPUT_CONFLICT, OUTPUT_IN_USE,
 * OUTPUT_NOT_WRITABLE, ABORTED, and the errors of loading the model.
 */
export async function importAdapter(options: ImportAdapterOptions): Promise<AdapterInfo> {
  const config = parseConfig(importAdapterSchema, options, 'importAdapter options');
  const { model, adapter, output, signal } = config;
  const files = peftFiles(adapter);
  const [weights] = files;
  const peftConfig = readPeftConfig(adapter);
  refusePickle(adapter, weights);
  const outputs = [{ field: 'output', path: output, kind: 'file' }] as const;
  const adapterFiles = files.map((path) => ({ field: 'adapter', path, kind: 'adapter' }) as const);
  return useFiles({ inputs: [...modelFile(model), ...adapterFiles], outputs }, () =>
    useBaseModel(model, signal, async (loaded) => {
      const tensors = await readSafetensors(weights);
      throwIfAborted(signal);
      const pairs = pairsFor(tensors, peftConfig, baseModelOf(loaded.info), adapter);
      const values = valuesOf(pairs, peftConfig);
      await native((addon) => addon.writeAdapter(loaded.native, output, values));
      return describeAdapter(output);
    }),
  );
}

/** Old versions of PEFT wrote a pickle, which can run code when it is read. */
function refusePickle(folder: string, weights: string): void {
  const pickle = join(folder, 'adapter_model.bin');
  if (existsSync(weights) || !existsSync(pickle)) return;
  throw new LlamatuneError(
    'ADAPTER_UNSUPPORTED',
    `cannot import '${pickle}': only adapter_model.safetensors can be read`,
    { hint: 'load the adapter with PEFT and save it again with save_pretrained()' },
  );
}

/** The pairs by the names of the variant that has a place for all modules. */
function pairsFor(
  tensors: ReadonlyMap<string, Tensor>,
  config: PeftConfig,
  base: BaseModel,
  adapter: string,
): NamedFactors[] {
  const unsupported = (reason: string, hint: string, problems: Imported['problems'] = []) =>
    new LlamatuneError('ADAPTER_UNSUPPORTED', `cannot import the adapter '${adapter}': ${reason}`, {
      hint,
      problems,
    });
  let fewest: Imported | undefined;
  for (const variant of variantsOf(base.architecture)) {
    const imported = fromPeft(tensors, config, variant, base);
    if (imported.problems.length === 0 && imported.pairs.length > 0) return imported.pairs;
    if (fewest === undefined || imported.problems.length < fewest.problems.length)
      fewest = imported;
  }
  if (fewest === undefined) {
    throw unsupported(
      `the names of the architecture '${base.architecture}' in Transformers are not known`,
      'merge the adapter with PEFT and convert the merged model to GGUF',
    );
  }
  const { problems } = fewest;
  const shown = problems.slice(0, 4).map(({ message }) => message);
  const more = problems.length > 4 ? `; and ${problems.length - 4} more` : '';
  throw unsupported(
    problems.length === 0 ? 'it has no LoRA pairs' : `${shown.join('; ')}${more}`,
    'check that this is the base model of the adapter; what a GGUF adapter cannot have must be merged with PEFT',
    problems,
  );
}

/** A GGUF adapter has one positive alpha, and the scale of a pair is alpha / rank. Pairs of another scale are multiplied. */
function valuesOf(pairs: readonly NamedFactors[], config: PeftConfig): AdapterValues {
  const alphaOf = ({ scale, rank }: NamedFactors) => scale * rank;
  const first = Math.fround(alphaOf(pairs[0]!));
  const alpha = first > 0 && Number.isFinite(first) ? first : pairs[0]!.rank;
  const isUniform = pairs.every(({ rank }) => rank === pairs[0]!.rank);
  return {
    alpha,
    rsLora: isUniform && config.use_rslora === true,
    pairs: pairs.map((pair) => {
      const { name, rank, experts, a, b } = pair;
      const factor = alphaOf(pair) / alpha;
      const isSame = Math.abs(factor - 1) < 1e-6;
      const scaled = isSame ? b : b.map((value) => value * factor);
      return { name, rank, experts, a, b: scaled };
    }),
  };
}
