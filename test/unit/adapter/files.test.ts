import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPeftConfig, scaleOf } from '../../../src/adapter/peft-config.js';
import { readSafetensors, writeSafetensors } from '../../../src/adapter/safetensors.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamatune-adapter-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(header: unknown, data: Buffer): string {
  const path = join(folder, 'x.safetensors');
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([length, json, data]));
  return path;
}

describe('safetensors', () => {
  it('are read as they were written', async () => {
    const path = join(folder, 'a.safetensors');
    const values = Float32Array.of(1, -2.5, 3e-20, 4, 5, 6);
    writeSafetensors(path, new Map([['ä', { shape: [2, 3], values }]]));
    expect(await readSafetensors(path)).toEqual(new Map([['ä', { shape: [2, 3], values }]]));
  });

  it('in half precision become F32', async () => {
    const half = (dtype: string, bits: number[]) =>
      file(
        { x: { dtype, shape: [bits.length], data_offsets: [0, 2 * bits.length] } },
        Buffer.from(Uint16Array.from(bits).buffer),
      );
    const values = async (path: string) => [...(await readSafetensors(path)).get('x')!.values];
    // 1, -2, the largest, the smallest normal and subnormal numbers, -0
    expect(await values(half('F16', [0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x8000]))).toEqual([
      1,
      -2,
      65504,
      2 ** -14,
      2 ** -24,
      -0,
    ]);
    expect(await values(half('BF16', [0x3f80, 0xc000, 0x3f81]))).toEqual([1, -2, 1.0078125]);
  });

  it.each([
    ['an empty file', () => file('', Buffer.alloc(0)).replace('x.', 'none.'), 'ADAPTER_NOT_FOUND'],
    ['a header that is not JSON', () => file('{"x":', Buffer.alloc(0)), 'ADAPTER_INVALID'],
    [
      'data beyond the end',
      () => file({ x: { dtype: 'F32', shape: [4], data_offsets: [0, 16] } }, Buffer.alloc(8)),
      'ADAPTER_INVALID',
    ],
    [
      'a shape that does not fit',
      () => file({ x: { dtype: 'F32', shape: [3], data_offsets: [0, 16] } }, Buffer.alloc(16)),
      'ADAPTER_INVALID',
    ],
    [
      'tensors that overlap',
      () => {
        const entry = { dtype: 'F32', shape: [4], data_offsets: [0, 16] };
        return file({ x: entry, y: entry }, Buffer.alloc(16));
      },
      'ADAPTER_INVALID',
    ],
    [
      'integers',
      () => file({ x: { dtype: 'I64', shape: [2], data_offsets: [0, 16] } }, Buffer.alloc(16)),
      'ADAPTER_INVALID',
    ],
  ])('refuse %s', async (_, make, code) => {
    await expect(readSafetensors(make())).rejects.toMatchObject({ code });
  });
});

describe('adapter_config.json', () => {
  const read = (config: unknown) => {
    writeFileSync(
      join(folder, 'adapter_config.json'),
      typeof config === 'string' ? config : JSON.stringify(config),
    );
    return readPeftConfig(folder);
  };

  it('is read, with fields that are null or of later versions', () => {
    const config = { peft_type: 'LORA', r: 16, lora_alpha: 32, rank_pattern: null, new_field: 1 };
    expect(read(config)).toMatchObject({ r: 16, lora_alpha: 32 });
  });

  it('is refused with what a GGUF adapter cannot have', () => {
    const config = { peft_type: 'LORA', use_dora: true, bias: 'all', modules_to_save: ['lm_head'] };
    expect(() => read(config)).toThrow(
      expect.objectContaining({
        code: 'ADAPTER_UNSUPPORTED',
        message: expect.stringMatching(/DoRA, trained biases, whole trained modules/),
      }),
    );
    expect(() => read({ peft_type: 'IA3' })).toThrow(/the method IA3/);
  });

  it('is refused if it is not one', () => {
    expect(() => read('{')).toThrow(expect.objectContaining({ code: 'ADAPTER_INVALID' }));
    expect(() => read({ r: 8, lora_alpha: '16', alpha_pattern: { q_proj: -1 } })).toThrow(
      expect.objectContaining({
        code: 'ADAPTER_INVALID',
        message: expect.stringContaining('lora_alpha: expected'),
        problems: ['peft_type', 'lora_alpha', 'alpha_pattern.q_proj'].map((path) =>
          expect.objectContaining({ path }),
        ),
      }),
    );
  });

  it('has alphas by the ends of names or by expressions of them', () => {
    const alpha_pattern = { q_proj: 4, '(k|v)_proj': 2, '[': 3 };
    const config = read({ peft_type: 'LORA', lora_alpha: 16, alpha_pattern });
    const names = ['layers.0.q_proj', 'layers.0.v_proj', 'layers.0.xq_proj'];
    expect(names.map((name) => scaleOf(config, name, 1))).toEqual([4, 2, 16]);
  });

  it('is refused if an expression needs exponential time', () => {
    const config = read({ peft_type: 'LORA', alpha_pattern: { '([a-z_.0-9]+)+x': 1 } });
    expect(() => scaleOf(config, 'model.layers.0.self_attn.some_long_name.q_proj', 8)).toThrow(
      expect.objectContaining({
        code: 'ADAPTER_INVALID',
        message: expect.stringMatching(/too long/),
      }),
    );
  });
});
