import { join } from 'node:path';
import type { DatasetSource } from '../config/fields.js';
import { LlamatuneError } from '../errors.js';
import { ROW_ERRORS, rowSources } from './dataset-rows.js';
import type { EncodedSample } from './encode-pieces.js';
import { type LossOn, SampleEncoder } from './encode-sample.js';
import { type FitCounts, type FitOptions, fitSample, noCounts } from './fit.js';
import { pacer } from './pause.js';
import { parseRow } from './rows.js';
import { type PreparedFile, SampleParts } from './sample-parts.js';
import { copiesOf, splitSamples } from './split.js';
import type { TextModel } from './tokenizer.js';

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
  /** How to handle a sample longer than `sequenceLength` tokens. Default: 'error'. */
  overlength?: FitOptions['overlength'];
  /** Default: 'right'. */
  truncationSide?: FitOptions['truncationSide'] | undefined;
  /** If a number, also a maximum of tokens per sample, because a micro-batch holds whole samples. */
  microBatchTokens?: number | 'auto' | undefined;
  /** Rows that cannot be trained on. Default: 'error'. */
  badRows?: 'error' | 'skip';
  /** Default: 100. */
  maxBadRows?: number | undefined;
  /** Random seed of the validation split. */
  seed: number;
  /** Replaces the chat template of the model. */
  chatTemplate?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface PreparedDataset {
  train: PreparedFile;
  validation: PreparedFile | null;
  /** What happened to the samples of both datasets. */
  counts: Counts;
}

/** What happened to samples and rows on the way. */
export interface Counts extends FitCounts {
  /** Rows that were skipped with badRows 'skip', and the error of the first one. */
  badRows: { count: number; first: string };
  /** Conversations whose last learned answer does not end with an end-of-generation token, and how the first one ends. */
  openEnds: { count: number; first: string };
}

/**
 * Tokenizes a dataset once, into files that native code maps into memory. Rows are streamed: memory
 * holds one row, and about four bytes per sample. It yields to the event loop every few milliseconds. After
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
  const counts: Counts = { ...noCounts(), badRows: none(), openEnds: none() };
  const trainFile = join(directory, 'train.tokens');
  const validationFile = join(directory, 'validation.tokens');

  const separate = validation?.dataset;
  const heldOut =
    separate === undefined
      ? undefined
      : await encodeAll(separate, 'validation', encoder, options, counts);
  try {
    const main = await encodeAll(options.dataset, 'train', encoder, options, counts);
    try {
      const pace = pacer(options.signal);
      const isValidation =
        validation?.split === undefined
          ? undefined
          : splitSamples(main.parts.samples, validation.split, options.seed);
      const side = (sample: number) => isValidation?.[sample] ?? 0;
      // weights are for training: validation sees every sample once
      const copies = (sample: number) => (side(sample) === 0 ? main.copies(sample) : 1);
      const toValidation = { paths: [validationFile], side: () => 0, copies: () => 1 };
      const fromDataset = await heldOut?.parts.writeFiles(toValidation, pace);
      const paths = isValidation === undefined ? [trainFile] : [trainFile, validationFile];
      const [train, fromSplit] = await main.parts.writeFiles({ paths, side, copies }, pace);
      if (train!.samples === 0) throw noneLeft();
      return { train: train!, validation: fromSplit ?? fromDataset?.[0] ?? null, counts };
    } finally {
      await main.parts.dispose();
    }
  } finally {
    await heldOut?.parts.dispose();
  }
}

const none = () => ({ count: 0, first: '' });

interface EncodedDataset {
  parts: SampleParts;
  /** How often each sample is used in an epoch. */
  copies: (sample: number) => number;
}

async function encodeAll(
  source: DatasetSource,
  name: string,
  encoder: SampleEncoder,
  options: PrepareOptions,
  counts: Counts,
): Promise<EncodedDataset> {
  const pace = pacer(options.signal);
  const parts = await SampleParts.create(options.directory, name);
  const files: FileCopies[] = [];
  try {
    for (const { rows, weight } of rowSources(source)) {
      const from = parts.samples;
      for await (const { row, where } of rows) {
        const samples = samplesOf(row, where, encoder, options, counts);
        for (const sample of samples) {
          checkMicroBatch(sample, where, options);
          await parts.append(sample);
        }
        await pace();
      }
      files.push({ from, copies: copiesOf(parts.samples - from, weight, options.seed) });
    }
    if (parts.samples === 0) throw allSkipped(counts.skipped, options.sequenceLength);
    return { parts, copies: copiesInFiles(files) };
  } catch (error) {
    await parts.dispose();
    throw error;
  }
}

interface FileCopies {
  /** Its first sample. */
  from: number;
  /** Of its samples, from 0. */
  copies: (sample: number) => number;
}

/** The copies of a sample, by its number in all files; fast if the samples are asked for in order. */
function copiesInFiles(files: readonly FileCopies[]): (sample: number) => number {
  let at = 0;
  return (sample) => {
    if (files[at]!.from > sample) at = 0;
    while (at + 1 < files.length && files[at + 1]!.from <= sample) at += 1;
    return files[at]!.copies(sample - files[at]!.from);
  };
}

/** The samples of a row: one, or none or several if it is too long, or none if it is bad and bad rows are skipped. */
function samplesOf(
  row: unknown,
  where: string,
  encoder: SampleEncoder,
  options: PrepareOptions,
  counts: Counts,
): EncodedSample[] {
  const { sequenceLength, overlength = 'error', truncationSide = 'right' } = options;
  try {
    const parsed = parseRow(row, where);
    const sample = encoder.encode(parsed, where);
    const end = encoder.openEnd(parsed, sample);
    if (end !== undefined) addTo(counts.openEnds, `${where} ends with '${end}'`);
    return fitSample(sample, where, { sequenceLength, overlength, truncationSide }, counts);
  } catch (error) {
    const isBad = error instanceof LlamatuneError && ROW_ERRORS.has(error.code);
    if (!isBad || options.badRows !== 'skip') throw error;
    const { badRows } = counts;
    addTo(badRows, error.message);
    const limit = options.maxBadRows ?? 100;
    if (badRows.count > limit) throw tooManyBadRows(limit, badRows.first, error);
    return [];
  }
}

function addTo(counted: { count: number; first: string }, what: string): void {
  counted.count += 1;
  if (counted.count === 1) counted.first = what;
}

function tooManyBadRows(limit: number, first: string, cause: LlamatuneError): LlamatuneError {
  return new LlamatuneError(
    'DATASET_TOO_MANY_BAD_ROWS',
    `more than ${limit} rows cannot be trained on; the first one: ${first}; the last one: ${cause.message}`,
    { hint: 'repair the rows, or raise maxBadRows', cause },
  );
}

function checkMicroBatch(
  { tokens }: EncodedSample,
  where: string,
  { microBatchTokens }: PrepareOptions,
): void {
  if (typeof microBatchTokens !== 'number' || tokens.length <= microBatchTokens) return;
  throw new LlamatuneError(
    'SAMPLE_TOO_LONG',
    `${where}: the sample has ${tokens.length} tokens, more than microBatchTokens (${microBatchTokens})`,
    { hint: 'raise microBatchTokens, leave it out, or lower sequenceLength and set overlength' },
  );
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
