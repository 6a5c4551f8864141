import type { ConfigProblem } from '../errors.js';
import {
  combined,
  type Factors,
  fitsHeads,
  type Heads,
  rowsOf,
  swapped,
  transposed,
  withInputsOf,
} from './matrix.js';
import { fill, patternOf, type Source, type Variant } from './names.js';
import type { Tensor } from './safetensors.js';

/** A LoRA pair of a weight in a GGUF adapter. */
export interface NamedFactors extends Factors {
  /** 'blk.0.attn_q.weight' */
  name: string;
}

/** What the conversion needs to know of the base model. */
export interface BaseModel {
  architecture: string;
  heads: Heads;
  /** By name, in ggml's order: [inputs, outputs, experts]. */
  shapes: ReadonlyMap<string, readonly number[]>;
}

/** One adapted module or parameter of a Transformers model. */
interface PeftLayer {
  /** 'model.layers.0.self_attn.q_proj' */
  module: string;
  source: Source;
  factors: Factors;
}

/** The path that PEFT's patterns and targets name. */
const targetName = ({ module, source }: PeftLayer): string =>
  source.parameter === undefined ? module : `${module}.${source.parameter}`;

/**
 * How PEFT adapts a tensor of the model; undefined if it has no place there. For models with experts, PEFT takes linear layers
 * of some names for single experts of older versions of Transformers, and loads them nowhere. Their weight, as a parameter, is
 * left alone and has the same tensors.
 */
function sourceOf(tensor: string, { tensors }: Variant): Source | undefined {
  const source = tensors[patternOf(tensor).pattern];
  if (source === undefined || source.parameter !== undefined) return source;
  const isTaken = /\.(gate|gate_proj|up_proj|down_proj|w1|w2|w3)$/.test(source.module);
  const hasExperts = Object.values(tensors).some(({ parameter }) => parameter === 'gate_up_proj');
  return isTaken && hasExperts ? { ...source, parameter: 'weight', order: 0 } : source;
}

/** The weights that have no place in a variant. */
export function problemsOfExport(
  pairs: readonly NamedFactors[],
  variant: Variant,
  base: BaseModel,
): ConfigProblem[] {
  return pairs.flatMap(({ name }) => {
    const source = sourceOf(name, variant);
    if (source === undefined) return [{ path: name, message: noCounterpart(name, variant) }];
    const [columns, rows] = base.shapes.get(name) as [number, number];
    if (!fitsHeads(source, rows, columns, base.heads)) {
      return [{ path: name, message: headsUnknown(name) }];
    }
    return [];
  });
}

export const headsUnknown = (tensor: string): string =>
  `the number of heads of '${tensor}' is not known or does not fit its shape`;

function noCounterpart(tensor: string, { classes, unsupported }: Variant): string {
  const message = `'${tensor}' has no counterpart in ${classes[0]}`;
  const { pattern, layer } = patternOf(tensor);
  const found = unsupported[pattern];
  if (found === undefined) return message;
  if (found.module === undefined) return `${message}: ${found.reason}`;
  return `${message}: it is made of '${fill(found.module, [layer])}', but ${found.reason}`;
}

/** The tensors and the configuration of the adapter as PEFT stores it. problemsOfExport() must be empty. */
export function toPeft(
  pairs: readonly NamedFactors[],
  variant: Variant,
  base: BaseModel,
  rsLora: boolean,
): { tensors: Map<string, Tensor>; config: Record<string, unknown> } {
  const layers = layersOf(pairs, variant, base);
  const tensors = new Map<string, Tensor>();
  for (const layer of layers)
    for (const [name, tensor] of tensorsOf(layer, layers)) tensors.set(name, tensor);
  const sorted = new Map([...tensors].sort(([x], [y]) => (x < y ? -1 : 1)));
  return { tensors: sorted, config: configOf(layers, variant, base, rsLora) };
}

function layersOf(pairs: readonly NamedFactors[], variant: Variant, base: BaseModel): PeftLayer[] {
  const groups = new Map<string, { source: Source; module: string; pairs: NamedFactors[] }>();
  for (const pair of pairs) {
    const source = sourceOf(pair.name, variant)!;
    const module = fill(source.module, [patternOf(pair.name).layer]);
    const key = `${module} ${source.parameter ?? ''}`;
    const group = groups.get(key) ?? { source, module, pairs: [] };
    group.pairs.push(pair);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ source, module, pairs: members }) => {
    if (source.embedding) return { module, source, factors: members[0]! };
    const rows = base.shapes.get(members[0]!.name)![1]!;
    const parts = members.map((pair) => {
      const own = sourceOf(pair.name, variant)!;
      const factors = withInputsOf('transformers', pair, own, base.heads);
      return { factors, rowOf: rowsOf(own, rows, base.heads) };
    });
    return { module, source, factors: combined(parts, rows * (source.parts ?? 1)) };
  });
}

/** PEFT wraps a module once for each of its parameters; the last one is the outermost. */
function wrappersAround(layer: PeftLayer, layers: readonly PeftLayer[]): string {
  const outer = layers.filter(
    ({ module, source }) =>
      module === layer.module && (source.order ?? 0) > (layer.source.order ?? 0),
  );
  return '.base_layer'.repeat(outer.length);
}

function tensorsOf(layer: PeftLayer, layers: readonly PeftLayer[]): [string, Tensor][] {
  const { rank, experts, a, b } = layer.source.swapped ? swapped(layer.factors) : layer.factors;
  const prefix = `base_model.model.${layer.module}${wrappersAround(layer, layers)}`;
  if (layer.source.embedding) {
    return [
      [
        `${prefix}.lora_embedding_A`,
        { shape: [rank, a.length / rank], values: transposed(a, rank) },
      ],
      [`${prefix}.lora_embedding_B`, { shape: [b.length / rank, rank], values: b }],
    ];
  }
  const inputs = a.length / (rank * experts);
  const outputs = b.length / (rank * experts);
  return [
    [`${prefix}.lora_A.weight`, { shape: [experts * rank, inputs], values: a }],
    [
      `${prefix}.lora_B.weight`,
      // [outputs][rank][experts]
      {
        shape: [outputs, rank * experts],
        values: experts === 1 ? b : transposed(b, outputs * rank),
      },
    ],
  ];
}

function configOf(
  layers: readonly PeftLayer[],
  variant: Variant,
  base: BaseModel,
  rsLora: boolean,
): Record<string, unknown> {
  const alphaOf = ({ factors: { scale, rank } }: PeftLayer) =>
    Number((scale * (rsLora ? Math.sqrt(rank) : rank)).toPrecision(7));
  const r = mostCommon(layers.map(({ factors }) => factors.rank));
  const alpha = mostCommon(layers.map(alphaOf));
  const others = (value: (layer: PeftLayer) => number, usual: number) =>
    Object.fromEntries(
      layers
        .filter((layer) => value(layer) !== usual)
        .map((layer) => [targetName(layer), value(layer)]),
    );
  const modules = layers.filter(({ source }) => source.parameter === undefined);
  const parameters = layers.filter(({ source }) => source.parameter !== undefined);
  return {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    inference_mode: true,
    r,
    lora_alpha: alpha,
    use_rslora: rsLora,
    lora_dropout: 0,
    bias: 'none',
    fan_in_fan_out: modules.some(({ source }) => source.transposed === true),
    init_lora_weights: true,
    rank_pattern: others(({ factors }) => factors.rank, r),
    alpha_pattern: others(alphaOf, alpha),
    target_modules: targetsOf(modules, variant, base),
    target_parameters: targetsOf(parameters, variant, base),
  };
}

function mostCommon(values: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((x, y) => y[1] - x[1])[0]![0];
}

/** The last parts of the names if the adapter has every layer that ends so, else the whole names; null for no layers. */
function targetsOf(
  layers: readonly PeftLayer[],
  variant: Variant,
  base: BaseModel,
): string[] | null {
  if (layers.length === 0) return null;
  const all = [...base.shapes.keys()].flatMap((tensor) => {
    const source = sourceOf(tensor, variant);
    if (source === undefined) return [];
    const module = fill(source.module, [patternOf(tensor).layer]);
    return [source.parameter === undefined ? module : `${module}.${source.parameter}`];
  });
  const adapted = new Set(layers.map(targetName));
  const endOf = (name: string, parts: number) => name.split('.').slice(-parts).join('.');
  const targets = layers.map((layer) => {
    const name = targetName(layer);
    const end = endOf(name, layer.source.parameter === undefined ? 1 : 3);
    const complete = all.every((other) => !`.${other}`.endsWith(`.${end}`) || adapted.has(other));
    return complete ? end : name;
  });
  return [...new Set(targets)].sort();
}
