import fs from 'node:fs';
import path from 'node:path';
import { BYTE_ALPHABET } from '../../dist/bench/suite/byte-alphabet.js';
import * as llamatune from '../../dist/index.js';
import { mutateBytes, mutateJson, mutateText } from './mutate.mjs';
import { CONFIGS, FILES, ROWS, TEMPLATE_FRAGMENTS, TEMPLATES } from './seeds.mjs';

/** Bytes of a GGUF file that are header: metadata and the list of tensors. */
const HEADER = 12_000;

/** Reads a dataset. Returns the code of its first bad row. */
async function inspect(context, options) {
  const { badRows } = await llamatune.inspectDataset({
    ...{ model: context.model, loss: 'all', chatTemplate: 'chatml', preview: 1 },
    ...options,
  });
  return badRows[0]?.code;
}

const write = (context, name, bytes) => {
  const file = path.join(context.folder, name);
  fs.writeFileSync(file, bytes);
  return file;
};

/**
 * What is fuzzed: `make` makes an input from seeded choices, `run` uses it. It throws an error, or may return the code of one
 * that is part of a result.
 */
export const KINDS = {
  rows: {
    make: (choices) => mutateJson(choices.of(ROWS), choices),
    run: (row, context) => inspect(context, { dataset: [row] }),
  },
  files: {
    make: (choices) => {
      const [name, bytes] = choices.of(FILES);
      return { name, bytes: mutateBytes(bytes, choices) };
    },
    run: ({ name, bytes }, context) => inspect(context, { dataset: write(context, name, bytes) }),
  },
  templates: {
    make: (choices) => ({
      chatTemplate: mutateText(choices.of(TEMPLATES), choices, TEMPLATE_FRAGMENTS),
      row: choices.of(ROWS.slice(0, 3)),
      loss: choices.of(['all', 'assistant']),
    }),
    run: ({ chatTemplate, row, loss }, context) =>
      inspect(context, { dataset: [row], chatTemplate, loss }),
  },
  configs: {
    make: (choices) => {
      const [schema, config] = choices.of(CONFIGS);
      return { schema, config: mutateJson(config, choices) };
    },
    run: ({ schema, config }) => {
      llamatune.parseConfig(schema, config, 'options');
    },
  },
  adapters: {
    make: (choices, context) =>
      mutateBytes(context.adapter, choices, { within: 4096, keepLength: choices.chance(0.5) }),
    run: async (bytes, context) => {
      const adapter = write(context, 'adapter.gguf', bytes);
      await llamatune.describeAdapter(adapter);
      await llamatune.generate({
        ...{ model: context.model, prompt: 'Hi', adapters: [adapter], maxTokens: 1, threads: 1 },
      }).result;
    },
  },
  peft: {
    make: (choices, { peft }) => ({
      weights: choices.chance(0.7)
        ? mutateBytes(peft.weights, choices, { within: 2048, keepLength: choices.chance(0.5) })
        : peft.weights,
      config: choices.chance(0.7) ? mutateJson(peft.config, choices) : peft.config,
    }),
    run: async ({ weights, config }, context) => {
      write(context, 'adapter_model.safetensors', weights);
      write(context, 'adapter_config.json', jsonOf(config));
      const output = path.join(context.folder, 'imported.gguf');
      await llamatune.importAdapter({ model: context.model, adapter: context.folder, output });
    },
  },
  models: {
    make: (choices, context) =>
      mutateBytes(context.modelBytes, choices, { within: HEADER, keepLength: choices.chance(0.5) }),
    run: async (bytes, context) => {
      const file = write(context, 'model.gguf', bytes);
      const model = await llamatune.loadModel({ model: file, device: 'cpu' });
      try {
        model.tokenize('Hi <|im_end|>', { parseSpecial: true });
        await llamatune.generate({ model, prompt: 'Hi', maxTokens: 1, threads: 1 }).result;
      } finally {
        await model.dispose();
      }
    },
  },
};

/** JSON of any depth: JSON.stringify() fails where values are nested too deeply. */
function jsonOf(value) {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return '{"r":'.repeat(50_000);
  }
}

const CONTROL = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'];

const TINY = {
  architecture: 'llama',
  vocabulary: {
    pre: 'qwen2',
    tokens: [...BYTE_ALPHABET, ...CONTROL],
    tokenTypes: [...BYTE_ALPHABET.map(() => 1), ...CONTROL.map(() => 3)],
    merges: [],
    eosToken: BYTE_ALPHABET.length + 2,
  },
  ...{ contextLength: 64, embeddingLength: 32, layers: 1, heads: 2, kvHeads: 1 },
  feedForwardLength: 32,
};

/** What the cases of a kind share: a folder for their files and, where they need one, a tiny model and an adapter. */
export async function makeContext(folder, kind) {
  if (kind === 'configs') return { folder };
  const file = path.join(folder, 'tiny.gguf');
  await llamatune.createModel({ ...TINY, path: file });
  const model = await llamatune.loadModel({ model: file, device: 'cpu' });
  const context = { folder, model, modelBytes: fs.readFileSync(file) };
  if (kind !== 'adapters' && kind !== 'peft') return context;
  const adapter = await makeAdapter(model, folder);
  return {
    ...context,
    adapter,
    ...(kind === 'peft' ? { peft: await makePeft(model, folder) } : {}),
  };
}

/** The same adapter as PEFT has it. */
async function makePeft(model, folder) {
  const output = path.join(folder, 'exported');
  await llamatune.exportAdapter({ model, adapter: path.join(folder, ADAPTER), output });
  const read = (name) => fs.readFileSync(path.join(output, name));
  return {
    weights: read('adapter_model.safetensors'),
    config: JSON.parse(read('adapter_config.json').toString()),
  };
}

const ADAPTER = 'tiny-adapter.gguf';

/** The bytes of an adapter. */
async function makeAdapter(model, folder) {
  const output = path.join(folder, ADAPTER);
  await llamatune.finetune({
    ...{ model, output, dataset: [{ prompt: 'a', completion: 'b' }], maxSteps: 1 },
    ...{ sequenceLength: 16, threads: 1, lora: { rank: 2, targets: ['attn_q'] } },
  }).result;
  return fs.readFileSync(output);
}
