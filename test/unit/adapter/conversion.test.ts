import { describe, expect, it } from 'vitest';
import { fromPeft } from '../../../src/adapter/from-peft.js';
import {
  combined,
  fitsHeads,
  rowsOf,
  selected,
  swapped,
  withInputsOf,
} from '../../../src/adapter/matrix.js';
import { variantsOf } from '../../../src/adapter/names.js';
import type { PeftConfig } from '../../../src/adapter/peft-config.js';
import type { Tensor } from '../../../src/adapter/safetensors.js';
import {
  type BaseModel,
  type NamedFactors,
  problemsOfExport,
  toPeft,
} from '../../../src/adapter/to-peft.js';

let state = 1;
const random = (count: number) =>
  Float32Array.from({ length: count }, () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647 - 0.5;
  });

interface Shape {
  rank: number;
  inputs: number;
  outputs: number;
  experts?: number;
}

const pair = (name: string, { rank, inputs, outputs, experts = 1 }: Shape): NamedFactors => ({
  name,
  rank,
  experts,
  scale: 2,
  a: random(experts * rank * inputs),
  b: random(experts * outputs * rank),
});

/** The update of one expert, row by row: scale * B A. */
function update(
  { rank, experts, scale, a, b }: NamedFactors | ReturnType<typeof combined>,
  expert = 0,
) {
  const inputs = a.length / rank / experts;
  const outputs = b.length / rank / experts;
  return Array.from({ length: outputs }, (_, row) =>
    Array.from({ length: inputs }, (_, column) => {
      let sum = 0;
      for (let k = 0; k < rank; k++) {
        const left = b[(expert * outputs + row) * rank + k]!;
        sum += left * a[(expert * rank + k) * inputs + column]!;
      }
      return Number((scale * sum).toFixed(5));
    }),
  );
}

const variant = (architecture: string, name: string) =>
  variantsOf(architecture).find(({ classes }) => classes.includes(name))!;

const base = (architecture: string, pairs: readonly NamedFactors[]): BaseModel => ({
  architecture,
  heads: { head_count: 2, head_count_kv: 1 },
  shapes: new Map(
    pairs.map(({ name, rank, experts, a, b }) => [
      name,
      [a.length / rank / experts, b.length / rank / experts, experts],
    ]),
  ),
});

const peftConfig = (config: Record<string, unknown>) => config as unknown as PeftConfig;

const noHeads = { head_count: undefined, head_count_kv: undefined };

describe('rows of a tensor', () => {
  it('in the order of RoPE are pairs of neighbours', () => {
    const row = rowsOf({ module: 'q', rope: 'head_count' }, 8, { head_count: 2, head_count_kv: 2 });
    // Transformers: the two halves of each head
    expect([0, 1, 2, 3, 4, 5, 6, 7].map(row)).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
  });

  it('of query, key and value are sorted by kind', () => {
    const heads = { head_count: 2, head_count_kv: 2 };
    const row = rowsOf({ module: 'qkv', grouped: 'head_count' }, 12, heads);
    // Transformers: q q k k v v of the first head, then of the second one
    expect([0, 1, 2, 3].map(row)).toEqual([0, 1, 6, 7]);
    expect([4, 5, 6, 7, 8, 9, 10, 11].map(row)).toEqual([2, 3, 8, 9, 4, 5, 10, 11]);
  });

  it('of groups of queries with one key and one value are sorted by kind', () => {
    const source = { module: 'qkv', grouped: 'head_count_kv' } as const;
    const sorted = (rows: number, head_count_kv: number) =>
      Array.from({ length: rows }, (_, i) => i).map(
        rowsOf(source, rows, { head_count: 4, head_count_kv }),
      );
    // Transformers: q q k v of the first group, then of the second one
    expect(sorted(8, 2)).toEqual([0, 1, 4, 5, 2, 6, 3, 7]);
    // Transformers: q k v of each head
    expect(sorted(12, 4)).toEqual([0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
    // multi-query attention: all queries, the key, the value
    expect(sorted(12, 1)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it('have no order if the numbers of heads are not known or do not fit', () => {
    const heads = { head_count: 4, head_count_kv: 2 };
    const unknown = { head_count: 4, head_count_kv: undefined };
    const grouped = { module: 'qkv', grouped: 'head_count_kv' } as const;
    const rope = { module: 'k', rope: 'head_count_kv' } as const;
    expect([8, 12, 16].map((rows) => fitsHeads(grouped, rows, 4, heads))).toEqual([
      true,
      false,
      true,
    ]);
    expect([8, 12, 14].map((rows) => fitsHeads(rope, rows, 4, heads))).toEqual([true, true, false]);
    expect([grouped, rope].map((source) => fitsHeads(source, 8, 4, unknown))).toEqual([
      false,
      false,
    ]);
    expect(fitsHeads({ module: 'q' }, 7, 4, unknown)).toBe(true);
  });

  it('of the value heads of linear attention are sorted by their place in a key head', () => {
    const linear = { keys: 2, values: 4, valueWidth: 8 };
    const heads = { ...noHeads, linear };
    const source = { module: 'qkv', valueHeads: 'rows' } as const;
    const sorted = (rows: number) =>
      Array.from({ length: rows }, (_, i) => i).map(rowsOf(source, rows, heads));
    // Transformers: both heads of the first key head, then those of the second one
    expect(sorted(8)).toEqual([0, 1, 4, 5, 2, 3, 6, 7]);
    // after two rows of keys
    expect(sorted(10)).toEqual([0, 1, 2, 3, 6, 7, 4, 5, 8, 9]);
    // one row for each head
    expect(sorted(4)).toEqual([0, 2, 1, 3]);
    const output = { module: 'out', valueHeads: 'columns' } as const;
    expect(fitsHeads(source, 10, 3, heads)).toBe(true);
    expect(fitsHeads(output, 3, 8, heads)).toBe(true);
    expect(fitsHeads(output, 8, 6, heads)).toBe(false);
    expect(fitsHeads(source, 8, 3, noHeads)).toBe(false);
    expect(fitsHeads(source, 8, 3, { ...noHeads, linear: { ...linear, keys: 3 } })).toBe(false);
  });

  it('of the value heads are columns of the layer after linear attention', () => {
    const heads = { ...noHeads, linear: { keys: 2, values: 4, valueWidth: 4 } };
    const source = { module: 'out', valueHeads: 'columns' } as const;
    const a = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    const factors = { rank: 2, experts: 1, scale: 1, a, b: Float32Array.of(1, 1) };
    const there = withInputsOf('gguf', factors, source, heads);
    expect([...there.a]).toEqual([1, 3, 2, 4, 5, 7, 6, 8]);
    expect(withInputsOf('transformers', there, source, heads)).toEqual(factors);
    const wide = { ...heads, linear: { keys: 2, values: 6, valueWidth: 6 } };
    const columns = { ...factors, rank: 1, a: Float32Array.of(0, 1, 2, 3, 4, 5) };
    const moved = withInputsOf('gguf', columns, source, wide);
    expect([...moved.a]).toEqual([0, 3, 1, 4, 2, 5]);
    expect(withInputsOf('transformers', moved, source, wide)).toEqual(columns);
  });

  it('of a fused parameter are a part of its rows', () => {
    const source = { module: 'gate_up', part: 1, parts: 2 };
    expect([0, 1].map(rowsOf(source, 2, noHeads))).toEqual([2, 3]);
    expect([0, 1].map(rowsOf({ ...source, interleaved: true }, 2, noHeads))).toEqual([1, 3]);
  });
});

it('a pair whose inputs are taken for its outputs has the transposed update', () => {
  const given = pair('experts', { rank: 2, inputs: 3, outputs: 4, experts: 2 });
  const other = swapped(given);
  for (const expert of [0, 1]) {
    const rows = update(given, expert);
    expect(update(other, expert)).toEqual(rows[0]!.map((_, i) => rows.map((row) => row[i])));
  }
  expect(swapped(other)).toEqual({ ...other, a: given.a, b: given.b });
});

describe('several tensors of one parameter', () => {
  const gate = pair('gate', { rank: 2, inputs: 3, outputs: 4, experts: 2 });
  const up = { ...pair('up', { rank: 1, inputs: 3, outputs: 4, experts: 2 }), scale: 3 };
  const parts = [gate, up].map((factors, part) => ({
    factors,
    rowOf: rowsOf({ module: '', part, parts: 2, interleaved: true }, 4, noHeads),
  }));
  const fused = combined(parts, 8);

  it('have the updates of both in their rows', () => {
    expect(fused.rank).toBe(3);
    for (const expert of [0, 1]) {
      const rows = update(fused, expert);
      expect(rows.filter((_, row) => row % 2 === 0)).toEqual(update(gate, expert));
      expect(rows.filter((_, row) => row % 2 === 1)).toEqual(update(up, expert));
    }
  });

  it('get their ranks back', () => {
    const again = parts.map(({ rowOf }) => selected(fused, 4, rowOf));
    expect(again.map(({ rank }) => rank)).toEqual([2, 1]);
    expect(again[0]!.a).toEqual(gate.a);
    expect(update(again[1]!, 1)).toEqual(update(up, 1));
  });

  it('share one A if they have the same', () => {
    const same = [gate, { ...gate, b: random(16) }].map((factors, part) => ({
      factors,
      rowOf: rowsOf({ module: '', part, parts: 2 }, 4, noHeads),
    }));
    expect(combined(same, 8).rank).toBe(2);
  });
});

describe('an adapter of GGUF', () => {
  it.each([
    ['gpt-oss', 'GptOssForCausalLM'], // transposed, gate and up alternate
    ['llama', 'MixtralForCausalLM'],
  ])('with experts of %s is the same after PEFT', (architecture, name) => {
    const pairs = [
      pair('blk.1.ffn_gate_exps.weight', { rank: 2, inputs: 6, outputs: 4, experts: 3 }),
      pair('blk.1.ffn_up_exps.weight', { rank: 2, inputs: 6, outputs: 4, experts: 3 }),
      pair('blk.1.ffn_down_exps.weight', { rank: 2, inputs: 4, outputs: 6, experts: 3 }),
      pair('blk.1.attn_q.weight', { rank: 3, inputs: 6, outputs: 8 }),
    ];
    const model = base(architecture, pairs);
    const { tensors, config } = toPeft(pairs, variant(architecture, name), model, false);
    const again = fromPeft(tensors, peftConfig(config), variant(architecture, name), model);
    expect(again.problems).toEqual([]);
    const sorted = again.pairs.sort((x, y) => (x.name < y.name ? -1 : 1));
    const before = [...pairs].sort((x, y) => (x.name < y.name ? -1 : 1));
    expect(sorted.map((each) => each.name)).toEqual(before.map((each) => each.name));
    for (const [i, each] of sorted.entries())
      expect(update(each, each.experts - 1)).toEqual(update(before[i]!, each.experts - 1));
  });

  it('adapts linear layers that are named like experts by their weights', () => {
    const pairs = [
      pair('blk.0.ffn_up.weight', { rank: 2, inputs: 6, outputs: 4 }),
      pair('blk.1.ffn_up_exps.weight', { rank: 2, inputs: 6, outputs: 4, experts: 3 }),
    ];
    const gate = pair('blk.1.ffn_gate_exps.weight', { rank: 2, inputs: 6, outputs: 4, experts: 3 });
    const model = base('glm4moe', [...pairs, gate]);
    const glm = variant('glm4moe', 'Glm4MoeForCausalLM');
    const { tensors, config } = toPeft(pairs, glm, model, false);
    expect(config).toMatchObject({
      target_modules: null,
      target_parameters: ['mlp.experts.gate_up_proj', 'mlp.up_proj.weight'],
    });
    const again = fromPeft(tensors, peftConfig(config), glm, model);
    expect(again.problems).toEqual([]);
    expect(again.pairs.map(({ name }) => name).sort()).toEqual(pairs.map(({ name }) => name));
    expect(again.pairs.find(({ name }) => name === pairs[0]!.name)?.b).toEqual(pairs[0]!.b);
  });

  it.each([
    ['qwen2', 'Qwen2ForCausalLM'],
    ['llama', 'LlamaForCausalLM'],
    ['gemma3', 'Gemma3ForCausalLM'],
    ['qwen3', 'Qwen3ForCausalLM'],
    ['deepseek2', 'DeepseekV2ForCausalLM'],
  ])('of %s has the names of %s', (architecture, name) => {
    expect(variantsOf(architecture)[0]?.classes[0]).toBe(name);
  });

  it('with rsLoRA, token embeddings and other ranks keeps its scales', () => {
    const rank = 4;
    const pairs = [
      pair('token_embd.weight', { rank, inputs: 12, outputs: 6 }),
      pair('blk.0.attn_v.weight', { rank: 2, inputs: 6, outputs: 4 }),
      pair('blk.0.attn_k.weight', { rank, inputs: 6, outputs: 4 }),
    ];
    const shapes = new Map<string, number[]>([
      ['token_embd.weight', [6, 12]],
      ['blk.0.attn_v.weight', [6, 4]],
      ['blk.0.attn_k.weight', [6, 4]],
    ]);
    const model = { ...base('qwen3', pairs), shapes };
    const qwen = variant('qwen3', 'Qwen3ForCausalLM');
    const { tensors, config } = toPeft(pairs, qwen, model, true);
    expect(config).toMatchObject({ use_rslora: true, r: 4, lora_alpha: 4 });
    expect(tensors.get('base_model.model.model.embed_tokens.lora_embedding_A')?.shape).toEqual([
      4, 12,
    ]);
    const again = fromPeft(tensors, peftConfig(config), qwen, model);
    expect(again.problems).toEqual([]);
    for (const each of pairs) {
      const found = again.pairs.find(({ name }) => name === each.name)!;
      expect(found.a).toEqual(each.a);
      expect(found.b).toEqual(each.b);
      expect(found.scale).toBeCloseTo(2, 5);
    }
  });

  it('names the weights that have no counterpart', () => {
    const pairs = [
      pair('blk.0.attn_q.weight', { rank: 1, inputs: 2, outputs: 2 }),
      pair('blk.0.ssm_in.weight', { rank: 1, inputs: 2, outputs: 2 }),
    ];
    const problems = problemsOfExport(
      pairs,
      variant('qwen3', 'Qwen3ForCausalLM'),
      base('qwen3', pairs),
    );
    expect(problems).toEqual([
      {
        path: 'blk.0.ssm_in.weight',
        message: "'blk.0.ssm_in.weight' has no counterpart in Qwen3ForCausalLM",
      },
    ]);
  });

  it.each([
    [
      'deepseek2',
      'blk.3.attn_k_b',
      "DeepseekV2ForCausalLM: it is made of 'model.layers.3.self_attn.kv_b_proj', but llama.cpp applies no adapter to it",
    ],
    ['kimi-linear', 'blk.3.ssm_conv1d_q', 'KimiLinearForCausalLM: it is not a matrix'],
  ])('says why a weight of %s has no counterpart', (architecture, name, end) => {
    const pairs = [pair(`${name}.weight`, { rank: 1, inputs: 2, outputs: 2 })];
    const problems = problemsOfExport(
      pairs,
      variantsOf(architecture)[0]!,
      base(architecture, pairs),
    );
    const message = `'${name}.weight' has no counterpart in ${end}`;
    expect(problems).toEqual([{ path: `${name}.weight`, message }]);
  });
});

describe('an adapter of PEFT', () => {
  const tensor = (shape: readonly number[]): Tensor => ({
    shape,
    values: random(shape[0]! * shape[1]!),
  });

  it('for single experts becomes one stack', () => {
    const name = 'blk.0.ffn_down_exps.weight';
    const model = base('qwen3moe', [pair(name, { rank: 2, inputs: 3, outputs: 4, experts: 2 })]);
    const path = (expert: number, factor: string) =>
      `base_model.model.model.layers.0.mlp.experts.${expert}.down_proj.lora_${factor}.weight`;
    const tensors = new Map([
      [path(1, 'A'), tensor([2, 3])],
      [path(1, 'B'), tensor([4, 2])],
    ]);
    const config = peftConfig({ r: 2, lora_alpha: 4 });
    const { pairs, problems } = fromPeft(
      tensors,
      config,
      variant('qwen3moe', 'Qwen3MoeForCausalLM'),
      model,
    );
    expect(problems).toEqual([]);
    expect(pairs.map((each) => [each.name, each.experts, each.rank])).toEqual([[name, 2, 2]]);
    expect(
      update(pairs[0]!, 0)
        .flat()
        .every((value) => value === 0),
    ).toBe(true);
    expect([...pairs[0]!.b.slice(8)]).toEqual([...tensors.get(path(1, 'B'))!.values]);
  });

  it('names modules without a counterpart, other tensors and shapes that do not fit', () => {
    const model = base('qwen3', [pair('blk.0.attn_q.weight', { rank: 2, inputs: 3, outputs: 4 })]);
    const prefix = 'base_model.model.model.layers.0';
    const tensors = new Map([
      [`${prefix}.self_attn.q_proj.lora_A.weight`, tensor([2, 5])],
      [`${prefix}.self_attn.q_proj.lora_B.weight`, tensor([4, 2])],
      [`${prefix}.vision.proj.lora_A.weight`, tensor([2, 3])],
      [`${prefix}.vision.proj.lora_B.weight`, tensor([4, 2])],
      [`${prefix}.self_attn.v_proj.lora_magnitude_vector`, tensor([1, 4])],
    ]);
    const config = peftConfig({ r: 2, lora_alpha: 4 });
    const { problems } = fromPeft(tensors, config, variant('qwen3', 'Qwen3ForCausalLM'), model);
    expect(problems.map(({ message }) => message)).toEqual([
      `'${prefix}.self_attn.v_proj.lora_magnitude_vector' is not part of a LoRA pair`,
      "its pair for 'blk.0.attn_q.weight' is for 5 inputs and 4 outputs, the model has 3 and 4",
      "'model.layers.0.vision.proj' has no counterpart in the GGUF file",
    ]);
  });

  it('says why a module has no counterpart', () => {
    const prefix = 'base_model.model.model.layers.2.self_attn.kv_b_proj';
    const tensors = new Map([
      [`${prefix}.lora_A.weight`, tensor([2, 3])],
      [`${prefix}.lora_B.weight`, tensor([4, 2])],
    ]);
    const deepseek = variant('deepseek2', 'DeepseekV3ForCausalLM');
    const config = peftConfig({ r: 2, lora_alpha: 4 });
    const { problems } = fromPeft(tensors, config, deepseek, base('deepseek2', []));
    expect(problems).toEqual([
      {
        path: 'model.layers.2.self_attn.kv_b_proj',
        message:
          "'model.layers.2.self_attn.kv_b_proj' has no counterpart in the GGUF file: 'blk.2.attn_k_b' is made of it, but llama.cpp applies no adapter to it",
      },
    ]);
  });
});
