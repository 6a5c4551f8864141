import { type ExportAdapterOptions, exportAdapterSchema } from '../config/adapter-files.js';
import { parseConfig } from '../config/parse.js';
import { native } from '../contract/load.js';
import type { AdapterValues } from '../contract/model.js';
import { throwIfAborted } from '../contract/run.js';
import { LlamatuneError } from '../errors.js';
import { replaceFile } from '../files/atomic-file.js';
import { useFiles } from '../files/lock.js';
import { peftFiles } from '../files/names.js';
import { modelFile } from '../files/run-files.js';
import { baseModelOf, useBaseModel } from './base-model.js';
import { type Variant, variantsOf } from './names.js';
import { writeSafetensors } from './safetensors.js';
import { type BaseModel, type NamedFactors, problemsOfExport, toPeft } from './to-peft.js';

/** The result of `exportAdapter()`. */
export interface ExportedAdapter {
  /** The folder. */
  output: string;
  /** The class of Transformers that the names belong to, e.g. 'Qwen3ForCausalLM'. */
  modelClass: string;
  /** Number of modules and parameters with a LoRA pair. */
  modules: number;
}

/**
 * Writes a LoRA adapter as PEFT does (adapter_model.safetensors and adapter_config.json), so that Transformers, vLLM and
 * other tools of the Hugging Face ecosystem load it with the original base model.
 *
 * @throws LlamatuneError CONFIG_INVALID, ADAPTER_UNSUPPORTED (names the weights without a counterpart), ADAPTER_INVALID (names
 * all weights with values that are not finite), ADAPTER_MISMATCH, OUTPUT_CONFLICT, OUTPUT_IN_USE, OUTPUT_NOT_WRITABLE,
 * ABORTED, and the errors of loading the model and the adapter.
 */
export async function exportAdapter(options: ExportAdapterOptions): Promise<ExportedAdapter> {
  const config = parseConfig(exportAdapterSchema, options, 'exportAdapter options');
  const { model, adapter, output, modelClass, baseModel, signal } = config;
  const files = peftFiles(output);
  const [weights, peftConfig] = files;
  const outputs = files.map((path) => ({ field: 'output', path, kind: 'file' }) as const);
  const adapterFile = { field: 'adapter', path: adapter, kind: 'adapter' } as const;
  return useFiles({ inputs: [...modelFile(model), adapterFile], outputs }, () =>
    useBaseModel(model, signal, async (loaded) => {
      const values = await native((addon) => addon.readAdapter(loaded.native, adapter));
      throwIfAborted(signal);
      const base = baseModelOf(loaded.info);
      const pairs = pairsOf(values);
      const variant = variantFor(pairs, base, modelClass, adapter);
      const { tensors, config: written } = toPeft(pairs, variant, base, values.rsLora === true);
      writeSafetensors(weights, tensors);
      const complete = { base_model_name_or_path: baseModel ?? null, ...written };
      replaceFile(peftConfig, `${JSON.stringify(complete, null, 2)}\n`, 'adapter');
      return { output, modelClass: modelClass ?? variant.classes[0]!, modules: tensors.size / 2 };
    }),
  );
}

function pairsOf({ alpha, pairs }: AdapterValues): NamedFactors[] {
  return pairs.map((pair) => ({ ...pair, scale: alpha > 0 ? alpha / pair.rank : 1 }));
}

function variantFor(
  pairs: readonly NamedFactors[],
  base: BaseModel,
  modelClass: string | undefined,
  adapter: string,
): Variant {
  const known = variantsOf(base.architecture);
  const candidates =
    modelClass === undefined ? known : known.filter(({ classes }) => classes.includes(modelClass));
  const failed = candidates.map((variant) => problemsOfExport(pairs, variant, base));
  const found = candidates[failed.findIndex((problems) => problems.length === 0)];
  if (found !== undefined) return found;
  const unsupported = (reason: string, hint: string, problems = failed[0]) =>
    new LlamatuneError('ADAPTER_UNSUPPORTED', `cannot export the adapter '${adapter}': ${reason}`, {
      hint,
      problems: problems ?? [],
    });
  if (candidates.length === 0) {
    const classes = known.flatMap((variant) => variant.classes).join(', ');
    throw unsupported(
      `the names of ${modelClass ?? `the architecture '${base.architecture}'`} in Transformers are not known`,
      classes === ''
        ? 'merge the adapter into the model with mergeAdapter() instead'
        : `choose one of ${classes}`,
    );
  }
  const fewest = failed.reduce((best, problems) =>
    problems.length < best.length ? problems : best,
  );
  throw unsupported(
    fewest.map(({ message }) => message).join('; '),
    'train an adapter without these weights (lora.targets), or merge it with mergeAdapter()',
    fewest,
  );
}
