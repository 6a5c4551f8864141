// The models of the benchmark, which are made once and cached by name, type and shape.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { createModel } from '../../dist/index.js';
import { root } from '../../scripts/native-build.mjs';
import { BuildError } from '../../scripts/tools.mjs';
import { shapes } from './shapes.mjs';

export const defaultDirectory = path.join(root, '.cache', 'bench-models');

function vocabularyFile(name) {
  const file = path.join(root, 'vendor', 'llama.cpp', 'models', `ggml-vocab-${name}.gguf`);
  if (existsSync(file)) return file;
  throw new BuildError(
    `vocabulary not found: ${path.relative(root, file)}`,
    'Vocabularies come with the source of llama.cpp: run node vendor/fetch.mjs in a checkout of the repository ' +
      '(the npm package does not contain them).',
  );
}

/** Path of a model of this shape and type. Makes it if it is missing, and says so on standard error. */
export async function benchModel(name, type, directory = defaultDirectory) {
  const shape = shapes[name];
  const version = createHash('sha256').update(JSON.stringify(shape)).digest('hex').slice(0, 8);
  const file = path.join(directory, `${name}-${type}-${version}.gguf`);
  if (existsSync(file)) return file;
  const { vocabulary, vocabularySize: _, ...options } = shape;
  const from = vocabularyFile(vocabulary);
  await mkdir(directory, { recursive: true });
  console.error(`llamatune: making ${path.relative(root, file)}`);
  await createModel({
    tieEmbeddings: true,
    ...options,
    path: file,
    name,
    type,
    vocabulary: { from },
    sampledBlocks: true,
  });
  return file;
}
