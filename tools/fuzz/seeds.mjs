import fs from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { NAMED_TEMPLATES } from '../../dist/data/named-templates.js';
import {
  benchSchema,
  chinchillaSchema,
  createModelSchema,
  finetuneSchema,
  generateSchema,
  inspectDatasetSchema,
  loadModelSchema,
  quantizeModelSchema,
  suiteSchema,
} from '../../dist/index.js';

const root = path.resolve(import.meta.dirname, '..', '..');

/** Rows of every form. */
export const ROWS = [
  {
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'text', text: 'What is 1 + 1?' }] },
      { role: 'assistant', content: 'Two.', weight: 0.5 },
      { role: 'user', content: 'And é🙂?' },
      { role: 'assistant', reasoning_content: 'hm', content: 'A letter.', train: true },
    ],
  },
  {
    messages: [
      { role: 'user', content: 'Weather?' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          { type: 'function', function: { name: 'w', arguments: '{"at": "Bonn", "n": 1.0}' } },
        ],
      },
      { role: 'tool', content: 'sunny', tool_call_id: 'a' },
      { role: 'assistant', content: 'Sunny.' },
    ],
    tools: [{ type: 'function', function: { name: 'w', parameters: { type: 'object' } } }],
  },
  {
    conversations: [
      { from: 'human', value: 'Hi' },
      { from: 'gpt', value: 'Yes' },
    ],
    system: 'x',
  },
  { prompt: [{ role: 'user', content: 'a' }], completion: [{ role: 'assistant', content: 'b' }] },
  { prompt: 'Once', completion: ' upon a time' },
  { instruction: 'Add', input: '1 2', output: '3' },
  { text: 'Some plain text.' },
  { tokens: [1, 2, 3, 4], weights: [0, 1, 0.5, 1] },
  { tokens: [5, 6], mask: [0, 1] },
];

const lines = ROWS.map((row) => JSON.stringify(row)).join('\n');
const csv = 'prompt,completion\n"a, ""b""",c\nd,"e\nf"\n';
const parquet = Buffer.from(
  parquetWriteBuffer({
    columnData: [
      { name: 'prompt', data: ['a', 'b', 'c'] },
      { name: 'completion', data: ['d', 'e', 'f'] },
      { name: 'n', data: [1n, 2n, 3n] },
    ],
    rowGroupSize: 2,
  }),
);

/** Files of every format. */
export const FILES = [
  ['a.jsonl', Buffer.from(lines)],
  ['a.json', Buffer.from(JSON.stringify(ROWS, null, 2))],
  ['a.csv', Buffer.from(csv)],
  ['a.tsv', Buffer.from(csv.replaceAll(',', '\t'))],
  ['a.parquet', parquet],
  ['a.jsonl.gz', gzipSync(lines)],
  ['a.csv.gz', gzipSync(csv)],
  ['a.jsonl', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(lines, 'utf16le')])],
];

const folder = path.join(root, 'vendor', 'llama.cpp', 'models', 'templates');

/** llama.cpp's templates, and ours. */
export const TEMPLATES = [
  ...NAMED_TEMPLATES.values(),
  ...fs
    .readdirSync(folder)
    .filter((name) => name.endsWith('.jinja'))
    .map((name) => fs.readFileSync(path.join(folder, name), 'utf8')),
];

/** Parts of templates, also of ones that run long or write much. */
export const TEMPLATE_FRAGMENTS = [
  ...['{% for m in messages %}', '{% endfor %}', '{% if true %}', '{% endif %}', '{% else %}'],
  ...['{% set x = namespace(n=0) %}', '{% set x.n = x.n + 1 %}', '{% break %}', '{% continue %}'],
  ...[
    '{% generation %}',
    '{% endgeneration %}',
    '{% raw %}',
    '{% endraw %}',
    '{#',
    '#}',
    '{{',
    '}}',
    '-%}',
  ],
  ...['{% macro f(a, b=1) %}{{ f(a, b) }}{% endmacro %}{{ f(1) }}', "{{ raise_exception('no') }}"],
  ...[
    '{% for i in range(100000) %}',
    '{% for i in range(3) %}',
    '{% for i in range(99999) %}{{ i }}{% endfor %}',
  ],
  ...[
    "{{ 'x' * 100000000 }}",
    "{{ ['x'] * 100000000 }}",
    '{{ 10 ** 1000000 }}',
    '{{ 1 // 0 }}',
    '{{ 1 % 0 }}',
  ],
  ...[
    '{{ messages | tojson(indent=100000000) }}',
    "{{ 'a' | center(1000000000) }}",
    "{{ 'x'.ljust(1000000000) }}",
  ],
  ...[
    '{{ messages[::0] }}',
    '{{ messages[-1:5:2] }}',
    "{{ '%1000000000d' % 1 }}",
    "{{ '{:1000000000}'.format(1) }}",
  ],
  ...[
    "{{ 'a'.replace('', 'b') * 10 }}",
    '{{ messages | map(attribute="role") | join(", ") }}',
    '{{ loop.index }}',
  ],
  ...[
    '{{ strftime_now("%Y %") }}',
    '{{ none.x }}',
    '{{ messages.__class__ }}',
    '{{ "".__class__ }}',
    ' is defined',
  ],
  ...[
    '(',
    ')',
    '[',
    ']',
    '|',
    '.',
    '~',
    "'",
    '"',
    '\\',
    ' and ',
    ' or ',
    ' not ',
    ' in ',
    'é',
    '\u0000',
  ],
];

/** Configurations of every call, with most of their options. */
export const CONFIGS = [
  [
    finetuneSchema,
    {
      model: 'base.gguf',
      dataset: 'train.jsonl',
      output: 'adapter.gguf',
      lora: { rank: 8, alpha: 16, rsLora: false, targets: ['attn_q'], init: 'kaiming-uniform' },
      epochs: 3,
      sequenceLength: 512,
      batchSize: 8,
      overlength: 'truncate',
      truncationSide: 'left',
      badRows: 'skip',
      maxBadRows: 3,
      optimizer: { type: 'adamw', learningRate: 1e-4, beta1: 0.9, weightDecay: 0.01 },
      scheduler: { type: 'cosine', warmupRatio: 0.1, minLearningRate: 1e-8 },
      objective: { type: 'cross-entropy', labelSmoothing: 0.1 },
      loss: 'assistant',
      validation: { split: 0.05, everySteps: 50 },
      checkpoint: { directory: 'checkpoints', everySteps: 50 },
      placement: { 'ffn_.*': 'cpu' },
      tensorSplit: [1, 2],
      rpc: ['localhost:50052'],
      seed: 42,
    },
  ],
  [
    generateSchema,
    {
      model: 'base.gguf',
      prompt: 'Hi',
      adapters: [{ path: 'a.gguf', scale: 0.5 }],
      stop: ['x'],
      temperature: 0,
    },
  ],
  [generateSchema, { model: 'base.gguf', messages: [{ role: 'user', content: 'Hi' }], tools: [] }],
  [benchSchema, { model: 'base.gguf', promptTokens: 8, training: { sequenceLength: 8 } }],
  [
    loadModelSchema,
    { model: 'base.gguf', gpuLayers: 'all', device: 'cpu', placement: 'experts-on-cpu' },
  ],
  [
    createModelSchema,
    { path: 'm.gguf', architecture: 'llama', layers: 2, heads: 4, embeddingLength: 64 },
  ],
  [quantizeModelSchema, { model: 'a.gguf', output: 'b.gguf', type: 'Q4_0' }],
  [inspectDatasetSchema, { model: 'a.gguf', dataset: ['a', { path: 'b', weight: 2 }], preview: 3 }],
  [suiteSchema, { name: 's', benchmarks: [{ task: 'inference', models: ['a.gguf'] }] }],
  [chinchillaSchema, { parameters: 1e9, tokens: 1e9 }],
];
