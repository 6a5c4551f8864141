import { fileURLToPath } from 'node:url';
import type { SuiteOptions } from '../../config/suite.js';

/** The model that is part of the package. */
const shippedModel = fileURLToPath(new URL('../../../models/tiny-chat-q8_0.gguf', import.meta.url));

const attentionAndFeedForward = { 'lora.targets': ['all-linear'], 'lora.rank': 8 };

const methods = [
  { name: 'LoRA on F16', mode: 'lora', weightType: 'F16' },
  { name: 'LoRA on 8-bit weights', mode: 'lora', weightType: 'Q8_0' },
  { name: 'LoRA on 4-bit weights', mode: 'lora', weightType: 'Q4_0' },
] as const;

/** The benchmarks of a whole comparison of devices, as qvac-finetune and others publish it. */
const comparison = (runs: number): SuiteOptions['benchmarks'] => [
  { task: 'inference', runs, options: { contextLength: 2048 } },
  {
    task: 'training',
    steps: 2 * runs,
    epochs: 8,
    options: { ...attentionAndFeedForward, sequenceLength: 128, batchSize: 4 },
  },
  {
    task: 'reproducibility',
    weightTypes: ['Q8_0'],
    steps: 2 * runs,
    options: { ...attentionAndFeedForward, sequenceLength: 128, batchSize: 8 },
  },
  {
    task: 'training',
    id: 'sequence-length',
    title: 'Throughput by sequence length',
    weightTypes: ['Q8_0'],
    steps: runs,
    options: { ...attentionAndFeedForward, batchSize: 1 },
    vary: { sequenceLength: [128, 512, 1024] },
  },
  {
    task: 'training',
    id: 'rank',
    title: 'Throughput by LoRA rank',
    weightTypes: ['Q8_0'],
    steps: runs,
    options: { 'lora.targets': ['all-linear'], batchSize: 1, sequenceLength: 256 },
    vary: { 'lora.rank': [4, 16, 64] },
  },
  {
    task: 'methods',
    steps: runs,
    options: { ...attentionAndFeedForward, sequenceLength: 128, batchSize: 4 },
    methods: [...methods],
  },
];

/** About 400 tokens: flash attention matters in long contexts. */
const longPrompt = 'The owl sat on the roof of the old mill and watched the river. '.repeat(25);

const withAndWithoutFlashAttention = {
  task: 'inference',
  id: 'flash-attention',
  title: 'Flash attention',
  weightTypes: ['Q8_0'],
  prompt: longPrompt,
  options: { contextLength: 2048, maxTokens: 64 },
  vary: { flashAttention: ['off', 'on'] },
} as const satisfies SuiteOptions['benchmarks'][number];

const mixtureOfExperts = { models: ['shape:qwen3-30b-a3b'], weightTypes: ['Q4_0'] };

/** Which experts a mixture of experts uses, in training and in inference. */
const useOfExperts: SuiteOptions['benchmarks'] = [
  {
    task: 'training',
    id: 'experts',
    title: 'Use of experts in training',
    ...mixtureOfExperts,
    steps: 3,
    options: { ...attentionAndFeedForward, sequenceLength: 128, expertStatistics: true },
  },
  {
    task: 'inference',
    id: 'experts-inference',
    title: 'Use of experts in inference',
    ...mixtureOfExperts,
    runs: 3,
    options: { contextLength: 2048, expertStatistics: true },
  },
];

/** The suites that come with llamatune. */
export const SUITES = {
  smoke: {
    name: 'smoke',
    description: 'The shipped model: whether everything works, in less than a minute.',
    models: [shippedModel],
    measurePeak: false,
    benchmarks: [
      { task: 'inference', runs: 3, options: { maxTokens: 32 } },
      {
        task: 'training',
        steps: 4,
        epochs: 3,
        options: { sequenceLength: 64, batchSize: 4 },
        vary: { sequenceLength: [32, 64] },
      },
      {
        task: 'reproducibility',
        runs: 2,
        steps: 4,
        options: { sequenceLength: 64, batchSize: 4 },
      },
      {
        task: 'methods',
        steps: 4,
        options: { sequenceLength: 64, batchSize: 4 },
        methods: [
          { name: 'LoRA on F16', weightType: 'F16' },
          { name: 'LoRA on 4-bit weights', weightType: 'Q4_0' },
        ],
      },
    ],
  },
  small: {
    name: 'small',
    description: 'The shape of Qwen3 0.6B: minutes on a CPU with AMX, longer on others.',
    models: ['shape:qwen3-0.6b'],
    weightTypes: ['Q4_0', 'Q8_0'],
    benchmarks: comparison(3),
  },
  medium: {
    name: 'medium',
    description: 'Models of 0.6 to 1.7 billion parameters.',
    models: ['shape:qwen3-0.6b', 'shape:gemma3-1b', 'shape:qwen3-1.7b'],
    weightTypes: ['Q4_0', 'Q8_0', 'F16'],
    benchmarks: [...comparison(5), withAndWithoutFlashAttention],
  },
  full: {
    name: 'full',
    description: 'The models of the comparison tables, of 0.6 to 4 billion parameters.',
    models: [
      'shape:qwen3-0.6b',
      'shape:qwen3-1.7b',
      'shape:qwen3-4b',
      'shape:gemma3-1b',
      'shape:gemma3-4b',
    ],
    weightTypes: ['Q4_0', 'Q8_0', 'F16', 'F32'],
    limits: { minutes: 240 },
    benchmarks: [...comparison(5), withAndWithoutFlashAttention],
  },
  all: {
    name: 'all',
    description: 'All shapes, with 8B and a mixture of experts of 30B.',
    models: [
      'shape:qwen3-0.6b',
      'shape:qwen3-1.7b',
      'shape:qwen3-4b',
      'shape:gemma3-1b',
      'shape:gemma3-4b',
      'shape:llama3.1-8b',
      'shape:qwen3-30b-a3b',
    ],
    weightTypes: ['Q4_0', 'Q8_0', 'F16', 'F32'],
    limits: { minutes: 240 },
    benchmarks: [...comparison(5), withAndWithoutFlashAttention, ...useOfExperts],
  },
  peft: {
    name: 'peft',
    description: 'Training compared with PyTorch and PEFT, which must be installed.',
    models: ['shape:qwen3-0.6b'],
    weightTypes: ['Q8_0'],
    benchmarks: [{ task: 'peft' }],
  },
} as const satisfies Record<string, SuiteOptions>;
