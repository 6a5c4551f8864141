import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors, type Tensor, writeSafetensors } from '../../src/adapter/safetensors.js';
import {
  exportAdapter,
  finetuneLora,
  importAdapter,
  loadModel,
  mergeAdapter,
} from '../../src/index.js';
import { jsonLines, llamatune, root } from './command-line.js';
import { logProbabilities } from './log-probabilities.js';
import { temporaryFolder } from './tiny-model.js';

// The models, the adapters of PEFT and their logits in Transformers are recorded by tools/peft/fixtures.py.
const fixtures = join(root, 'test', 'integration', 'peft');
const names = ['llama', 'qwen3', 'gemma3', 'qwen3moe', 'falcon', 'llama4', 'qwen35', 'bitnet'];
const modelOf = (name: string) => join(fixtures, name, 'model.gguf');
const recorded = (name: string): { tokens: number[]; base: number[]; adapted: number[] } =>
  JSON.parse(readFileSync(join(fixtures, name, 'logits.json'), 'utf8'));

let folder: string;
beforeAll(() => {
  folder = temporaryFolder();
});
afterAll(() => rmSync(folder, { recursive: true }));

function logSoftmax(logits: readonly number[]): number[] {
  const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
  return logits.map((logit) => logit - Math.log(sum));
}

const largestDifference = (x: readonly number[], y: readonly number[]): number =>
  Math.max(...x.map((value, i) => Math.abs(value - y[i]!)));

it('an adapter of another model is refused with what does not fit', async () => {
  const adapter = join(fixtures, 'llama');
  const wrong = importAdapter({ model: modelOf('qwen3'), adapter, output: join(folder, 'x.gguf') });
  await expect(wrong).rejects.toMatchObject({
    code: 'ADAPTER_UNSUPPORTED',
    message: expect.stringContaining("the model has no weight 'output.weight'"),
  });
  const missing = importAdapter({ model: modelOf('qwen3'), adapter: folder, output: adapter });
  await expect(missing).rejects.toMatchObject({ code: 'ADAPTER_NOT_FOUND' });
  const none = exportAdapter({
    model: modelOf('llama'),
    adapter: modelOf('llama'),
    output: join(folder, 'x'),
  });
  await expect(none).rejects.toMatchObject({ code: 'ADAPTER_INVALID' });
});

describe('an adapter that is not as PEFT writes it', () => {
  const source = join(fixtures, 'qwen3');
  const change = async (
    config: Record<string, unknown>,
    edit: (tensors: Map<string, Tensor>) => void = () => {},
  ) => {
    const adapter = join(folder, 'changed');
    mkdirSync(adapter, { recursive: true });
    const written = JSON.parse(readFileSync(join(source, 'adapter_config.json'), 'utf8'));
    writeFileSync(join(adapter, 'adapter_config.json'), JSON.stringify({ ...written, ...config }));
    const tensors = await readSafetensors(join(source, 'adapter_model.safetensors'));
    edit(tensors);
    writeSafetensors(join(adapter, 'adapter_model.safetensors'), tensors);
    return importAdapter({ model: modelOf('qwen3'), adapter, output: join(folder, 'c.gguf') });
  };

  it.each([
    ['zero', 0, 0],
    ['negative', -1, -1],
  ])('may have an alpha that is %s', async (_, alpha, factor) => {
    const { tokens, base } = recorded('qwen3');
    const noPattern = { rank_pattern: {}, alpha_pattern: {}, lora_alpha: alpha };
    await change(noPattern);
    const changed = await logProbabilities(
      modelOf('qwen3'),
      join(folder, 'c.gguf'),
      tokens,
      folder,
    );
    await change({ ...noPattern, lora_alpha: 1 }, (tensors) => {
      for (const [name, { values }] of tensors) {
        if (name.includes('lora_B')) values.set(values.map((value) => factor * value));
      }
    });
    const same = await logProbabilities(modelOf('qwen3'), join(folder, 'c.gguf'), tokens, folder);
    expect(largestDifference(changed, same)).toBeLessThan(1e-5);
    const unchanged = largestDifference(changed, logSoftmax(base)) < 1e-4;
    expect(unchanged).toBe(alpha === 0);
  });

  it.each([
    ['is not finite', 6, Number.NaN],
    ['overflows with its alpha', 1e300, 1],
  ])('is refused if it has a value that %s, and the output stays', async (_, alpha, value) => {
    const output = join(folder, 'c.gguf');
    writeFileSync(output, 'mine');
    const changed = change({ lora_alpha: alpha }, (tensors) => {
      for (const [name, { values }] of tensors) if (name.includes('lora_B')) values[0] = value;
    });
    await expect(changed).rejects.toMatchObject({
      code: 'ADAPTER_INVALID',
      message: expect.stringMatching(/values that are not finite; and 2 more$/),
      problems: expect.arrayContaining(
        ['attn_q', 'ffn_down'].map((weight) =>
          expect.objectContaining({ path: `blk.0.${weight}.weight` }),
        ),
      ),
    });
    expect(readFileSync(output, 'utf8')).toBe('mine');
  });

  it('is neither exported nor merged if values in the GGUF file are not finite', async () => {
    const marker = Math.fround(123.456);
    await change({}, (tensors) => {
      for (const [name, { values }] of tensors) if (/0.*lora_A/.test(name)) values[1] = marker;
    });
    const adapter = join(folder, 'not-finite.gguf');
    const bytes = readFileSync(join(folder, 'c.gguf'));
    const marked = Buffer.from(Float32Array.of(marker).buffer);
    for (let at = bytes.indexOf(marked); at >= 0; at = bytes.indexOf(marked, at + 4))
      bytes.writeFloatLE(Number.NaN, at);
    writeFileSync(adapter, bytes);
    const [exported, merged] = [join(folder, 'not-finite'), join(folder, 'not-finite-merged.gguf')];
    const model = modelOf('qwen3');
    for (const [convert, output] of [
      [exportAdapter, exported],
      [mergeAdapter, merged],
    ] as const) {
      const names = ['attn_q', 'attn_v', 'ffn_down'].map((name) => `blk.0.${name}.weight`);
      await expect(convert({ model, adapter, output })).rejects.toMatchObject({
        code: 'ADAPTER_INVALID',
        message: expect.stringContaining(`'${names[1]}' has values that are not finite`),
        problems: names.map((path) => ({ path })),
      });
    }
    expect(existsSync(merged)).toBe(false);
    expect(existsSync(exported)).toBe(false);
  });

  it('is refused if it adapts a weight twice', async () => {
    const twice = change({}, (tensors) => {
      for (const [name, tensor] of [...tensors]) {
        tensors.set(name.replace('.weight', '.default.weight'), tensor);
        tensors.set(name.replace('.lora_', '.base_layer.lora_'), tensor);
      }
    });
    await expect(twice).rejects.toMatchObject({
      code: 'ADAPTER_UNSUPPORTED',
      message: expect.stringContaining('is there twice'),
      problems: expect.arrayContaining([
        expect.objectContaining({ message: expect.stringContaining('two modules adapt') }),
      ]),
    });
  });
});

it('an error in onProgress does not end the process', async () => {
  const [adapter, output] = [join(folder, 'p.gguf'), join(folder, 'progress.gguf')];
  await importAdapter({
    model: modelOf('qwen3'),
    adapter: join(fixtures, 'qwen3'),
    output: adapter,
  });
  const warnings: Error[] = [];
  const collect = (warning: Error) => warnings.push(warning);
  process.on('warning', collect);
  try {
    await mergeAdapter({
      model: modelOf('qwen3'),
      adapter,
      output,
      modelCard: false,
      onProgress() {
        throw new Error('no terminal');
      },
    });
    await new Promise(setImmediate);
  } finally {
    process.off('warning', collect);
  }
  expect(existsSync(output)).toBe(true);
  expect(warnings).toMatchObject([
    { code: 'LLAMATUNE_CALLBACK_FAILED', message: expect.stringContaining('no terminal') },
  ]);
});

it('a conversion is aborted by its signal', async () => {
  await using model = await loadModel(modelOf('qwen3'));
  const signal = AbortSignal.abort();
  const output = join(folder, 'aborted.gguf');
  const imported = importAdapter({ model, adapter: join(fixtures, 'qwen3'), output, signal });
  await expect(imported).rejects.toMatchObject({ code: 'ABORTED' });
  expect(existsSync(output)).toBe(false);
});

describe.each(names)('an adapter that PEFT made for %s', (name) => {
  const { tokens, base, adapted } = recorded(name);

  it('gives the logits of Transformers after importAdapter()', async () => {
    const output = join(folder, `${name}.gguf`);
    const info = await importAdapter({
      model: modelOf(name),
      adapter: join(fixtures, name),
      output,
    });
    expect(info.architecture).toBe(name);
    const without = await logProbabilities(modelOf(name), undefined, tokens, folder);
    expect(largestDifference(without, logSoftmax(base))).toBeLessThan(1e-4);
    const withAdapter = await logProbabilities(modelOf(name), output, tokens, folder);
    expect(largestDifference(withAdapter, logSoftmax(adapted))).toBeLessThan(1e-4);
    expect(largestDifference(withAdapter, without)).toBeGreaterThan(0.5);
  });

  it('is the same after importAdapter() and exportAdapter()', async () => {
    const adapter = join(folder, `again-${name}.gguf`);
    const output = join(folder, `again-${name}`);
    await importAdapter({ model: modelOf(name), adapter: join(fixtures, name), output: adapter });
    await exportAdapter({ model: modelOf(name), adapter, output });
    const before = await readSafetensors(join(fixtures, name, 'adapter_model.safetensors'));
    const after = await readSafetensors(join(output, 'adapter_model.safetensors'));
    for (const key of before.keys()) if (key.endsWith('.base_layer.weight')) before.delete(key);
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
    const configs = [join(fixtures, name), output].map((path) =>
      JSON.parse(readFileSync(join(path, 'adapter_config.json'), 'utf8')),
    );
    expect(configs[1].use_rslora).toBe(configs[0].use_rslora);
    for (const [key, { shape, values }] of before) {
      expect(after.get(key)?.shape).toEqual(shape);
      if (key.includes('lora_A')) expect(after.get(key)?.values).toEqual(values);
    }
    // Alphas may differ; B times the scale must not.
    const again = join(folder, `third-${name}.gguf`);
    await importAdapter({ model: modelOf(name), adapter: output, output: again });
    const probabilities = await logProbabilities(modelOf(name), again, tokens, folder);
    expect(largestDifference(probabilities, logSoftmax(adapted))).toBeLessThan(1e-4);
  });
});

describe('mergeAdapter()', () => {
  it('writes a model that needs no adapter, and reports its progress', async () => {
    const { tokens, adapted } = recorded('llama');
    const adapter = join(folder, 'merge.gguf');
    const output = join(folder, 'merged.gguf');
    const model = modelOf('llama');
    await importAdapter({ model, adapter: join(fixtures, 'llama'), output: adapter });
    const fractions: number[] = [];
    const onProgress = (fraction: number) => fractions.push(fraction);
    expect(await mergeAdapter({ model, adapter, output, onProgress })).toEqual({
      output,
      keptUpdate: expect.closeTo(1, 4),
      modelCard: join(folder, 'README.md'),
      warnings: [],
    });
    expect(readFileSync(join(folder, 'README.md'), 'utf8')).toContain('`merge.gguf` merged');
    expect(fractions.at(-1)).toBe(1);
    expect(fractions).toEqual(fractions.toSorted((x, y) => x - y));
    const probabilities = await logProbabilities(output, undefined, tokens, folder);
    expect(largestDifference(probabilities, logSoftmax(adapted))).toBeLessThan(1e-4);
  });

  it('refuses an input as output, and can be aborted', async () => {
    const adapter = join(folder, 'merge-refused.gguf');
    const model = modelOf('llama');
    await importAdapter({ model, adapter: join(fixtures, 'llama'), output: adapter });
    for (const output of [model, adapter]) {
      const refused = mergeAdapter({ model, adapter, output });
      await expect(refused).rejects.toMatchObject({ code: 'OUTPUT_CONFLICT' });
    }
    const output = join(folder, 'aborted.gguf');
    const signal = AbortSignal.abort();
    const aborted = mergeAdapter({ model, adapter, output, signal });
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
    expect(existsSync(output)).toBe(false);
  });
});

describe('a run', () => {
  it('writes a model card and the loss curve next to its adapter, but not over a README.md', async () => {
    const runs = temporaryFolder();
    const dataset = join(runs, 'rows.jsonl');
    writeFileSync(dataset, '{"tokens":[1,2,3,4]}\n{"tokens":[5,6,7,8]}\n'.repeat(4));
    const train = (folder: string) =>
      finetuneLora({
        model: modelOf('qwen3'),
        dataset: relative('.', dataset),
        output: join(runs, folder, 'adapter.gguf'),
        batchSize: 2,
        sequenceLength: 4,
      }).result;
    try {
      const { modelCard } = await train('new');
      expect(modelCard).toBe(join(runs, 'new', 'README.md'));
      const card = readFileSync(join(runs, 'new', 'README.md'), 'utf8');
      for (const part of ['tiny-qwen3 (qwen3', '`rows.jsonl`: 8 samples', '"rank": 8', '| 4 |']) {
        expect(card).toContain(part);
      }
      expect(card).not.toContain(basename(runs));
      const curve = readFileSync(join(runs, 'new', 'adapter-loss.svg'), 'utf8');
      expect(curve).toContain('4 steps');
      mkdirSync(join(runs, 'old'));
      writeFileSync(join(runs, 'old', 'README.md'), 'mine');
      const second = await train('old');
      expect(second.modelCard).toBeNull();
      expect(second.warnings).toEqual([]);
      expect(readFileSync(join(runs, 'old', 'README.md'), 'utf8')).toBe('mine');
    } finally {
      rmSync(runs, { recursive: true });
    }
  });
});

describe('the command line', () => {
  const fixture = join(fixtures, 'qwen3');
  const model = modelOf('qwen3');
  const path = (name: string) => join(folder, `cli-${name}`);

  it('does not replace the file of --config', async () => {
    const config = path('merge.json');
    const text = JSON.stringify({ model, adapter: path('none.gguf'), output: config });
    writeFileSync(config, text);
    const { exit, stderr } = await llamatune(['merge', '--config', config]);
    expect(exit).toBe(1);
    expect(stderr).toContain('error OUTPUT_CONFLICT');
    expect(readFileSync(config, 'utf8')).toBe(text);
  });

  it('does not replace the file of --config by a file of an exported adapter', async () => {
    mkdirSync(path('peft'));
    const config = join(path('peft'), 'adapter_config.json');
    const text = JSON.stringify({ model, adapter: path('none.gguf'), output: path('peft') });
    writeFileSync(config, text);
    const { exit, stderr } = await llamatune(['export', '--config', config]);
    expect(exit).toBe(1);
    expect(stderr).toContain('error OUTPUT_CONFLICT');
    expect(readFileSync(config, 'utf8')).toBe(text);
  });

  it('imports, exports and merges', async () => {
    const adapter = path('adapter.gguf');
    const imported = await llamatune([
      'import',
      '--model',
      model,
      '--adapter',
      fixture,
      '--output',
      adapter,
    ]);
    expect(imported.stdout).toMatch(/rsLoRA\s*│?\s*yes/);
    const args = ['--model', model, '--adapter', adapter, '--json', '--output'];
    const exported = await llamatune([
      'export',
      ...args,
      path('peft'),
      '--baseModel',
      'some/model',
    ]);
    expect(JSON.parse(exported.stdout)).toMatchObject({ type: 'exported', modules: 6 });
    const config = JSON.parse(readFileSync(join(path('peft'), 'adapter_config.json'), 'utf8'));
    expect(config.base_model_name_or_path).toBe('some/model');
    const merged = await llamatune([
      'merge',
      ...args,
      path('merged.gguf'),
      '--type',
      'F16',
      '--no-modelCard',
    ]);
    const lines = jsonLines(merged.stdout);
    expect(lines.at(-1)).toEqual({
      type: 'merged',
      output: path('merged.gguf'),
      keptUpdate: expect.closeTo(1, 1),
      modelCard: null,
      warnings: [],
    });
    expect(lines.slice(0, -1).every(({ type }) => type === 'progress')).toBe(true);
  });
});
