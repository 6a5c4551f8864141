import { join } from 'node:path';
import type { DatasetSource } from '../config/fields.js';
import { describeValue } from '../config/parse.js';
import { LlamatuneError } from '../errors.js';
import { datasetFiles, namesFiles } from '../files/dataset-files.js';
import type { EncodedSample } from './encode-pieces.js';
import { hasTarget, type LossOn, SampleEncoder } from './encode-sample.js';
import { pacer } from './pause.js';
import { emptyDataset, readRows } from './readers.js';
import { parseRow } from './rows.js';
import { SampleParts } from './sample-parts.js';
import { copiesOf, splitSamples } from './split.js';
import type { TextModel } from './tokenizer.js';

/** How to handle a sample longer than `sequenceLength` tokens. */
export type Overlength = 'error' | 'truncate' | 'skip';

export interface PrepareOptions {
  dataset: DatasetSource;
  /** A fraction of the dataset (0 < split < 1), or another dataset. Default: none. */
  validation?: { split?: number | undefined; dataset?: DatasetSource | undefined } | undefined;
  model: TextModel;
  /** Where `train.tokens` and `validation.tokens` are written. */
  directory: string;
  loss: LossOn;
  /** Maximum tokens per sample. */
  sequenceLength: number;
  /** Default: 'error'. */
  overlength?: Overlength;
  /** Random seed of the validation split. */
  seed: number;
  /** Replaces the chat template of the model. */
  chatTemplate?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** A token file and its statistics. */
export interface PreparedFile {
  file: string;
  samples: number;
  tokens: number;
  /** Tokens that carry a loss. */
  targetTokens: number;
  /** Tokens of the longest sample. */
  longest: number;
}

export interface PreparedDataset {
  train: PreparedFile;
  validation: PreparedFile | null;
  /** Samples of both datasets that were truncated to sequenceLength. */
  truncated: number;
  /** Samples that were skipped because they were too long, or had no target token after truncation. */
  skipped: number;
}

/**
 * Tokenizes a dataset once, into files that native code maps into memory. Rows are streamed: memory
 * holds one row and a few numbers per sample. It yields to the event loop every few milliseconds. After
 * an error, no incomplete file is left behind.
 *
 * @throws LlamatuneError DATASET_NOT_FOUND, DATASET_UNREADABLE, DATASET_EMPTY, DATASET_ENCODING,
 *   DATASET_INVALID_JSON, DATASET_INVALID_CSV, DATASET_INVALID_ROW, DATASET_NO_TARGET, DATASET_TOO_SMALL,
 *   SAMPLE_TOO_LONG, NO_CHAT_TEMPLATE, TEMPLATE_FAILED, TOKENIZER_INEXACT, TEMPORARY_FOLDER_NOT_WRITABLE, ABORTED. An
 *   error in a row names the row: 'train.jsonl:17', or 'row 17' of an iterable.
 */
export async function prepareDataset(options: PrepareOptions): Promise<PreparedDataset> {
  const { directory, validation } = options;
  const encoder = new SampleEncoder(options.model, options);
  const trainFile = join(directory, 'train.tokens');
  const validationFile = join(directory, 'validation.tokens');

  const separate = validation?.dataset;
  const heldOut =
    separate === undefined ? undefined : await encodeAll(separate, 'validation', encoder, options);
  try {
    const main = await encodeAll(options.dataset, 'train', encoder, options);
    try {
      const pace = pacer(options.signal);
      const isValidation =
        validation?.split === undefined
          ? undefined
          : splitSamples(main.parts.lengths.length, validation.split, options.seed);
      const side = (sample: number) => isValidation?.[sample] ?? 0;
      // weights are for training: validation sees every sample once
      const copies = (sample: number) => (side(sample) === 0 ? main.copies[sample]! : 1);
      const once = () => 1;
      await heldOut?.parts.writeFiles([validationFile], () => 0, once, pace);
      await main.parts.writeFiles(
        isValidation === undefined ? [trainFile] : [trainFile, validationFile],
        side,
        copies,
        pace,
      );
      const train = describeFile(trainFile, main.parts, (i) => (side(i) === 0 ? copies(i) : 0));
      if (train.samples === 0) throw noneLeft();
      const fromSplit = isValidation && describeFile(validationFile, main.parts, side);
      const fromDataset = heldOut && describeFile(validationFile, heldOut.parts, once);
      return {
        train,
        validation: fromSplit ?? fromDataset ?? null,
        truncated: main.truncated + (heldOut?.truncated ?? 0),
        skipped: main.skipped + (heldOut?.skipped ?? 0),
      };
    } finally {
      await main.parts.dispose();
    }
  } finally {
    await heldOut?.parts.dispose();
  }
}

interface EncodedDataset {
  parts: SampleParts;
  /** How often each sample is used in an epoch. */
  copies: Uint16Array;
  truncated: number;
  skipped: number;
}

async function encodeAll(
  source: DatasetSource,
  name: string,
  encoder: SampleEncoder,
  options: PrepareOptions,
): Promise<EncodedDataset> {
  const pace = pacer(options.signal);
  const parts = await SampleParts.create(options.directory, name);
  const counts = { truncated: 0, skipped: 0 };
  const copies: Uint16Array[] = [];
  try {
    for (const { rows, weight } of sourcesOf(source)) {
      const before = parts.lengths.length;
      for await (const { row, where } of rows) {
        const sample = encoder.encode(parseRow(row, where), where);
        const fitted = limitLength(sample, where, options, counts);
        if (fitted !== undefined) await parts.append(fitted);
        await pace();
      }
      copies.push(copiesOf(parts.lengths.length - before, weight, options.seed));
    }
    if (parts.lengths.length === 0) throw allSkipped(counts.skipped, options.sequenceLength);
    return { parts, copies: Uint16Array.from(copies.flatMap((each) => [...each])), ...counts };
  } catch (error) {
    await parts.dispose();
    throw error;
  }
}

interface Source {
  rows: AsyncIterable<{ row: unknown; where: string }>;
  weight: number;
}

/** The files of a dataset, or its rows. */
function sourcesOf(source: DatasetSource): Source[] {
  return namesFiles(source)
    ? datasetFiles(source).map(({ path, weight }) => ({ rows: rowsOfFile(path), weight }))
    : [{ rows: rowsOfMemory(source as Iterable<unknown>), weight: 1 }];
}

async function* rowsOfFile(path: string) {
  for await (const { row, line } of readRows(path)) yield { row, where: `${path}:${line}` };
}

async function* rowsOfMemory(source: Iterable<unknown> | AsyncIterable<unknown>) {
  let count = 0;
  for await (const row of source) {
    count += 1;
    yield { row, where: `row ${count}` };
  }
  if (count === 0) throw emptyDataset(`(${describeValue(source)} of rows)`);
}

/** Returns the sample, truncated if necessary, or undefined if it is skipped. */
function limitLength(
  sample: EncodedSample,
  where: string,
  { sequenceLength, overlength = 'error' }: PrepareOptions,
  counts: { truncated: number; skipped: number },
): EncodedSample | undefined {
  if (sample.tokens.length <= sequenceLength) return sample;
  if (overlength === 'error') {
    throw new LlamatuneError(
      'SAMPLE_TOO_LONG',
      `${where}: the sample has ${sample.tokens.length} tokens, more than sequenceLength (${sequenceLength})`,
      {
        hint: "raise sequenceLength, shorten the sample, or set overlength to 'truncate' or 'skip'",
      },
    );
  }
  const weights = sample.weights.subarray(0, sequenceLength);
  if (overlength === 'skip' || !hasTarget(weights)) {
    counts.skipped += 1;
    return undefined;
  }
  counts.truncated += 1;
  return { tokens: sample.tokens.subarray(0, sequenceLength), weights };
}

function allSkipped(skipped: number, sequenceLength: number): LlamatuneError {
  return new LlamatuneError(
    'DATASET_EMPTY',
    `all ${skipped} samples are longer than sequenceLength (${sequenceLength}) and were skipped`,
    { hint: 'raise sequenceLength' },
  );
}

function noneLeft(): LlamatuneError {
  return new LlamatuneError(
    'DATASET_EMPTY',
    'the weights of the files leave no sample to train on',
    {
      hint: 'raise the weights',
    },
  );
}

function describeFile(
  file: string,
  { lengths, targets }: SampleParts,
  copies: (sample: number) => number,
): PreparedFile {
  const stats: PreparedFile = { file, samples: 0, tokens: 0, targetTokens: 0, longest: 0 };
  for (const [sample, length] of lengths.entries()) {
    const count = copies(sample);
    if (count === 0) continue;
    stats.samples += count;
    stats.tokens += count * length;
    stats.targetTokens += count * targets[sample]!;
    stats.longest = Math.max(stats.longest, length);
  }
  return stats;
}
