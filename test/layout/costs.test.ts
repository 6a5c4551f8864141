import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

const sources = ['native', 'src'].flatMap((tree) =>
  readdirSync(join(root, tree), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(h|cpp|ts)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => ({
      file: file.slice(root.length).replaceAll('\\', '/'),
      text: readFileSync(file, 'utf8').replace(/\/\/.*|\/\*[\s\S]*?\*\//g, ''), // without comments
    })),
);

const filesWith = (pattern: RegExp): string[] =>
  sources
    .filter(({ text }) => pattern.test(text))
    .map(({ file }) => file)
    .sort();

/**
 * The costs of change, as the table in CONTRIBUTING.md lists them: for one existing entry of each kind, all source files
 * that know its name. Adding another entry of the kind touches as many files.
 */
const costs: { kind: string; name: RegExp; files: string[] }[] = [
  {
    kind: 'a gradient rule (CLAMP)',
    name: /GGML_OP_CLAMP\b/,
    files: ['native/autodiff/rules/elementwise.cpp'],
  },
  {
    kind: 'an optimizer (sgd)',
    name: /\bsgd\b/,
    files: ['native/optim/optimizers/sgd.cpp', 'src/config/finetune.ts'],
  },
  {
    kind: 'an objective (cross-entropy)',
    name: /make_cross_entropy\b|'cross-entropy'/,
    files: ['native/loss/objectives/cross-entropy.cpp', 'src/config/finetune.ts'],
  },
  {
    kind: "a metric of an objective, also in the host's kernel (tokenAccuracy)",
    name: /\btokenAccuracy\b|\bis_best\b/,
    files: [
      'native/cpu/accelerator.cpp',
      'native/cpu/accelerator.h',
      'native/cpu/cross-entropy.cpp',
      'native/cpu/kernels/output-loss.cpp',
      'native/cpu/kernels/output-loss.h',
      'native/loss/objectives/cross-entropy.cpp',
    ],
  },
  {
    kind: "an option of an objective, also in the host's kernel (labelSmoothing)",
    name: /\blabelSmoothing\b|\blabel_smoothing\b/,
    files: [
      'native/cpu/accelerator.cpp',
      'native/cpu/accelerator.h',
      'native/cpu/cross-entropy.cpp',
      'native/cpu/kernels/output-loss.cpp',
      'native/cpu/kernels/output-loss.h',
      'native/loss/objectives/cross-entropy.cpp',
      'src/config/finetune.ts',
    ],
  },
  {
    kind: 'an option of an optimizer (momentum)',
    name: /\bmomentum\b/,
    files: ['native/optim/optimizers/sgd.cpp', 'src/config/finetune.ts'],
  },
  {
    kind: 'an adapter initialization (kaiming-uniform)',
    name: /\binit_kaiming_uniform\b|enum\(\['kaiming-uniform'/,
    files: ['native/adapter/inits/kaiming-uniform.cpp', 'src/config/finetune.ts'],
  },
  {
    kind: 'a learning-rate schedule (constant)',
    name: /\bconstant: null|'constant'/,
    files: ['src/schedule/schedule.ts'],
  },
  {
    kind: 'a data-file format (CSV)',
    name: /\breadCsv\b/,
    files: ['src/data/csv.ts', 'src/data/readers.ts'],
  },
  {
    kind: 'a training option (loraPlusRatio)',
    name: /loraPlusRatio|lora_plus_ratio|plus_ratio/,
    files: [
      'native/train/options.h',
      'native/train/trainable-weights.cpp',
      'src/config/finetune.ts',
    ],
  },
  {
    kind: 'a field of an event (optimizerMs)',
    name: /optimizerMs|optimizer_ms/,
    files: ['native/train/event.h', 'native/train/trainer.cpp', 'src/contract/training.ts'],
  },
  {
    kind: 'a tracker (tensorboard)',
    name: /\btensorboard\b|TensorBoardTracker/,
    files: [
      'src/config/finetune.ts',
      'src/finetune/finetune.ts',
      'src/finetune/recorded-config.ts',
      'src/track/tensorboard.ts',
      'src/track/trackers.ts',
    ],
  },
  {
    kind: 'something that inspectDataset() looks for (TWO_BOS)',
    name: /TWO_BOS/,
    files: ['src/inspect/suspicions.ts'],
  },
];

describe('the costs of change', () => {
  it.each(costs)('$kind is known to $files.length files only', ({ name, files }) => {
    expect(filesWith(name)).toEqual(files);
  });
});
