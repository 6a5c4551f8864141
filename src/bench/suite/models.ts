import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import envPaths from 'env-paths';
import { LlamatuneError } from '../../errors.js';
import { createModel } from '../../model/create-model.js';
import { quantizeModel } from '../../model/quantize-model.js';
import { isShape, SHAPES, shapeOf, vocabularyOf } from './shapes.js';

/** The weight type that leaves a file as it is. */
export const AS_IS = 'as-is';

/** The folder for models that suites make, in the user's cache folder. */
export const modelCacheFolder = (): string =>
  join(envPaths('llamatune', { suffix: '' }).cache, 'models');

/** A model that a trial needs: an existing file, or one that is made in the cache. */
export interface NeededModel {
  path: string;
  /** Makes the file; undefined if it is there. */
  make: (() => Promise<void>) | undefined;
}

/**
 * The file of a model of a suite with these weights. A file in the cache has its source in its name, so that it is made
 * once and never mistaken for another one.
 *
 * @throws LlamatuneError MODEL_NOT_FOUND, SHAPE_UNKNOWN
 */
export function neededModel(model: string, weightType: string, cache: string): NeededModel {
  if (isShape(model)) return shapedModel(model, weightType, cache);
  const source = resolve(model);
  const stats = statSync(source, { throwIfNoEntry: false });
  if (stats === undefined) {
    throw new LlamatuneError('MODEL_NOT_FOUND', `the model '${model}' was not found`, {
      hint: `check the path; shapes are named 'shape:${Object.keys(SHAPES)[0]}'`,
    });
  }
  if (weightType === AS_IS) return { path: source, make: undefined };
  const version = hash([source, stats.size, stats.mtimeMs]);
  const path = join(cache, `${basename(source, '.gguf')}-${weightType}-${version}.gguf`);
  return cached(path, (output) => quantizeModel({ input: source, output, type: weightType }));
}

function shapedModel(model: string, weightType: string, cache: string): NeededModel {
  const shape = shapeOf(model);
  const { vocabularySize, ...options } = shape;
  const [name = ''] = model.replace('shape:', '').split(',');
  const type = weightType === AS_IS ? 'F16' : weightType;
  const path = join(cache, `${name}-${type}-${hash(shape)}.gguf`);
  return cached(path, (output) =>
    createModel({ ...options, path: output, name, type, vocabulary: vocabularyOf(vocabularySize) }),
  );
}

const hash = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 8);

function cached(path: string, make: (output: string) => Promise<void>): NeededModel {
  return { path, make: existsSync(path) ? undefined : () => make(path) };
}
