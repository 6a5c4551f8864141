import { EXPERT_NAMES, TENSOR_NAMES } from './tensor-names.js';

/** The parameter of a Transformers model that a tensor of a GGUF file is made of, and how. */
export interface Source {
  /** Path of the module, with {} for the number of the layer: 'model.layers.{}.self_attn.q_proj'. */
  module: string;
  /** PEFT adapts the module as an embedding, not as a linear layer. */
  embedding?: true;
  /** PEFT adapts a parameter of the module, because the module is not a linear layer: experts and routers. */
  parameter?: string;
  /** The position of the parameter among those of its module. */
  order?: number;
  /** The rows are in the order of llama.cpp's RoPE, which pairs neighbours; the key of the number of heads. */
  rope?: 'head_count' | 'head_count_kv';
  /**
   * The parameter has groups of queries, each with one key and one value; the tensor has all queries, all keys, all values.
   * The key of the number of groups.
   */
  grouped?: 'head_count' | 'head_count_kv';
  /**
   * The rows or the columns are those of the value heads of linear attention. The parameter has the value heads of one key head
   * together; the tensor has the first one of each key head, then the second ones. Rows of keys before them stay in place.
   */
  valueHeads?: 'rows' | 'columns';
  /** The rows are one of `parts` equal parts of the parameter's rows, such as the gate of gate and up. */
  part?: number;
  parts?: number;
  /** The rows of the parts alternate. */
  interleaved?: true;
  /** The parameter stores inputs as rows. */
  transposed?: true;
  /** PEFT takes the inputs of the parameter for its outputs: its A is the transposed B of the tensor, its B the transposed A. */
  swapped?: true;
}

/** Why LoRA factors of a tensor and those of the parameter that it is made of cannot be converted into each other. */
export interface Unsupported {
  /** The module of the parameter, if it is known. */
  module?: string;
  /** 'its rows are in another order' */
  reason: string;
}

/** The names of one or several classes of Transformers that become GGUF files of one architecture. */
export interface Variant {
  /** 'LlamaForCausalLM' */
  classes: readonly string[];
  /** By tensor, without '.weight' and with {} for the number of the layer: 'blk.{}.attn_q'. */
  tensors: Readonly<Record<string, Source>>;
  unsupported: Readonly<Record<string, Unsupported>>;
}

/** The variants of an architecture of GGUF; empty if its names are not known. */
export function variantsOf(architecture: string): Variant[] {
  const all = JSON.parse(TENSOR_NAMES) as [string, Variant][];
  return all.filter(([name]) => name === architecture).map(([, variant]) => variant);
}

/** Modules of single experts in older checkpoints, by tensor: 'model.layers.{}.mlp.experts.{}.gate_proj'. */
export const expertNames = () => JSON.parse(EXPERT_NAMES) as Record<string, string[]>;

/** Splits 'blk.3.attn_q.weight' into the pattern 'blk.{}.attn_q' and the layer '3'. */
export function patternOf(tensor: string): { pattern: string; layer: string } {
  const name = tensor.replace(/\.weight$/, '');
  const layer = /^\w+\.blk\.(\d+)\.|^blk\.(\d+)\./.exec(name);
  const number = layer?.[1] ?? layer?.[2] ?? '';
  return { pattern: number === '' ? name : name.replace(`.${number}.`, '.{}.'), layer: number };
}

/** Fills the {} of a pattern, in order. */
export const fill = (pattern: string, numbers: readonly string[]): string =>
  numbers.reduce((text, number) => text.replace('{}', number), pattern);

/** The numbers in the places of the {} if `name` has this pattern, else undefined. */
export function numbersIn(pattern: string, name: string): string[] | undefined {
  const escaped = pattern.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replaceAll('{}', '(\\d+)');
  return new RegExp(`^${escaped}$`).exec(name)?.slice(1);
}
