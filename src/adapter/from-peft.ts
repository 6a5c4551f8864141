import type { ConfigProblem } from '../errors.js';
import {
  type Factors,
  fitsHeads,
  rowsOf,
  selected,
  swapped,
  transposed,
  withInputsOf,
} from './matrix.js';
import { expertNames, fill, numbersIn, type Source, type Variant } from './names.js';
import { type PeftConfig, scaleOf, targetsParameter } from './peft-config.js';
import type { Tensor } from './safetensors.js';
import { type BaseModel, headsUnknown, type NamedFactors } from './to-peft.js';

/** The two tensors of an adapted module, by the path of the module as PEFT writes it. */
interface StoredPair {
  a?: Tensor;
  b?: Tensor;
  embedding: boolean;
}

/** The pairs of the GGUF adapter, and what has no place in it. */
export interface Imported {
  pairs: NamedFactors[];
  problems: ConfigProblem[];
}

/** Converts an adapter of PEFT for a model of this variant. */
export function fromPeft(
  tensors: ReadonlyMap<string, Tensor>,
  config: PeftConfig,
  variant: Variant,
  base: BaseModel,
): Imported {
  const { stored, problems } = storedPairs(tensors);
  const pairs: NamedFactors[] = [];
  const experts = new Map<string, { expert: number; factors: Factors }[]>();
  for (const [path, pair] of stored) {
    try {
      const single = singleExpert(path, variant);
      if (single !== undefined) {
        const factors = factorsOf(pair, 1, config, single.module);
        experts.set(single.tensor, [
          ...(experts.get(single.tensor) ?? []),
          { expert: single.expert, factors },
        ]);
      } else pairs.push(...pairsOf(path, pair, config, variant, base));
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error;
      problems.push({ path, message: error.message });
    }
  }
  for (const [name, given] of experts) {
    const shape = base.shapes.get(name);
    const stack = shape === undefined ? undefined : stacked(given, shape);
    if (stack === undefined) {
      problems.push({ path: name, message: `the experts of '${name}' do not fit the model` });
    } else pairs.push({ ...stack, name });
  }
  return { pairs, problems: [...problems, ...repeated(pairs)] };
}

/** Two modules for one weight, for example with and without the prefix of a wrapper. */
function repeated(pairs: readonly NamedFactors[]): ConfigProblem[] {
  const known = new Set<string>();
  return pairs.flatMap(({ name }) => {
    if (known.has(name)) return [{ path: name, message: `two modules adapt '${name}'` }];
    known.add(name);
    return [];
  });
}

/** A module that has no place in the GGUF adapter. */
class Mismatch extends Error {}

function storedPairs(tensors: ReadonlyMap<string, Tensor>): {
  stored: Map<string, StoredPair>;
  problems: ConfigProblem[];
} {
  const stored = new Map<string, StoredPair>();
  const problems: ConfigProblem[] = [];
  for (const [name, tensor] of tensors) {
    // PEFT also saves the frozen embeddings and output matrix if they are adapted.
    if (name.endsWith('.base_layer.weight')) continue;
    const found =
      /^(?:base_model\.model\.)?(.+)\.lora_(embedding_)?([AB])(?:\.default)?(?:\.weight)?$/.exec(
        name,
      );
    if (found === null || tensor.shape.length !== 2) {
      problems.push({ path: name, message: `'${name}' is not part of a LoRA pair` });
      continue;
    }
    const [, path, embedding, factor] = found as unknown as [string, string, string?, string?];
    const pair = stored.get(path) ?? { embedding: embedding !== undefined };
    const side = factor === 'A' ? 'a' : 'b';
    if (pair[side] !== undefined)
      problems.push({ path: name, message: `'${name}' is there twice` });
    stored.set(path, { ...pair, [side]: tensor });
  }
  return { stored, problems };
}

/** The tensor and the number of the expert, for checkpoints in which every expert is a module. */
function singleExpert(path: string, variant: Variant) {
  for (const [pattern, modules] of Object.entries(expertNames())) {
    if (variant.tensors[pattern] === undefined) continue;
    for (const module of modules) {
      const [layer, expert] = numbersIn(module, path) ?? [];
      if (layer !== undefined && expert !== undefined) {
        return { tensor: `${fill(pattern, [layer])}.weight`, expert: Number(expert), module: path };
      }
    }
  }
  return undefined;
}

function pairsOf(
  path: string,
  pair: StoredPair,
  config: PeftConfig,
  variant: Variant,
  base: BaseModel,
): NamedFactors[] {
  const wrappers = path.split('.base_layer').length - 1;
  const module = path.replaceAll('.base_layer', '');
  const targets = Object.entries(variant.tensors).flatMap(([pattern, source]) => {
    const numbers = numbersIn(source.module, module);
    return numbers === undefined ? [] : [{ name: `${fill(pattern, numbers)}.weight`, source }];
  });
  const parameter = parameterOf(
    module,
    wrappers,
    targets.map(({ source }) => source),
    config,
  );
  const found = targets.filter(({ source }) => source.parameter === parameter);
  if (found.length === 0) throw new Mismatch(noCounterpart(module, variant));
  const target = parameter === undefined ? module : `${module}.${parameter}`;
  const pairs = found.map(({ name, source }) => {
    const shape = base.shapes.get(name);
    if (shape === undefined) throw new Mismatch(`the model has no weight '${name}'`);
    const [inputs, rows, experts = 1] = shape as [number, number, number?];
    const stored = factorsOf(pair, experts, config, target);
    const factors = source.swapped ? swapped(stored) : stored;
    if (source.embedding) {
      checkSizes(name, factors, rows, inputs);
      return { ...factors, name, a: transposed(factors.a, factors.a.length / factors.rank) };
    }
    checkSizes(name, factors, inputs, rows * (source.parts ?? 1));
    if (!fitsHeads(source, rows, inputs, base.heads)) throw new Mismatch(headsUnknown(name));
    const chosen = selected(factors, rows, rowsOf(source, rows, base.heads));
    return { ...withInputsOf('gguf', chosen, source, base.heads), name };
  });
  // Parts of a fused parameter that were not adapted; a new adapter has only zeros in B and keeps all.
  const used = pairs.filter(({ b }) => b.some((value) => value !== 0));
  return used.length === 0 ? pairs : used;
}

function noCounterpart(module: string, { unsupported }: Variant): string {
  const message = `'${module}' has no counterpart in the GGUF file`;
  for (const [pattern, source] of Object.entries(unsupported)) {
    const numbers = source.module === undefined ? undefined : numbersIn(source.module, module);
    if (numbers !== undefined)
      return `${message}: '${fill(pattern, numbers)}' is made of it, but ${source.reason}`;
  }
  return message;
}

/** The parameter that a wrapper belongs to: PEFT nests the parameters of `target_parameters`, the last one outermost. */
function parameterOf(
  module: string,
  wrappers: number,
  sources: readonly Source[],
  config: PeftConfig,
): string | undefined {
  const parameters = new Map(
    sources.flatMap(({ parameter, order = 0 }) =>
      parameter === undefined ? [] : [[parameter, order] as const],
    ),
  );
  if (parameters.size === 0) return undefined;
  const nested = [...parameters]
    .filter(([name]) => parameters.size === 1 || targetsParameter(config, `${module}.${name}`))
    .sort((x, y) => y[1] - x[1]);
  return nested[wrappers]?.[0] ?? '';
}

/** The pair in our layout: PEFT stores B of several experts as [outputs][rank][experts]. */
function factorsOf(
  { a, b, embedding }: StoredPair,
  experts: number,
  config: PeftConfig,
  target: string,
): Factors {
  if (a === undefined || b === undefined) throw new Mismatch(`'${target}' has only one of A and B`);
  const rank = a.shape[0]! / experts;
  if (!Number.isInteger(rank) || rank < 1 || b.shape[1] !== rank * experts) {
    throw new Mismatch(`the ranks of A and B of '${target}' differ, or do not fit its experts`);
  }
  const values = experts === 1 || embedding ? b.values : transposed(b.values, experts);
  return { rank, experts, scale: scaleOf(config, target, rank), a: a.values, b: values };
}

function checkSizes(name: string, factors: Factors, inputs: number, outputs: number): void {
  const { rank, experts, a, b } = factors;
  const given = [a.length / (rank * experts), b.length / (rank * experts)];
  if (given[0] === inputs && given[1] === outputs) return;
  throw new Mismatch(
    `its pair for '${name}' is for ${given[0]} inputs and ${given[1]} outputs, the model has ${inputs} and ${outputs}`,
  );
}

/** One stack of the pairs of single experts; experts without a pair get zeros. */
function stacked(
  given: readonly { expert: number; factors: Factors }[],
  shape: readonly number[],
): Factors | undefined {
  const [inputs, rows, experts] = shape as [number, number, number?];
  const { rank, scale } = given[0]!.factors;
  if (experts === undefined) return undefined;
  const a = new Float32Array(experts * rank * inputs);
  const b = new Float32Array(experts * rows * rank);
  for (const { expert, factors } of given) {
    const fits =
      expert < experts &&
      factors.rank === rank &&
      factors.scale === scale &&
      factors.a.length === rank * inputs &&
      factors.b.length === rows * rank;
    if (!fits) return undefined;
    a.set(factors.a, expert * rank * inputs);
    b.set(factors.b, expert * rows * rank);
  }
  return { rank, experts, scale, a, b };
}
