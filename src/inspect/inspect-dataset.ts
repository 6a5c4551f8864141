import {
  type InspectDatasetConfig,
  type InspectDatasetOptions,
  inspectDatasetSchema,
} from '../config/inspect-dataset.js';
import { parseConfig } from '../config/parse.js';
import { native } from '../contract/load.js';
import type { BatchLayout } from '../contract/training.js';
import { ROW_ERRORS, rowSources, type SourceRow } from '../data/dataset-rows.js';
import type { EncodedSample } from '../data/encode-pieces.js';
import { SampleEncoder } from '../data/encode-sample.js';
import { fitSample, noCounts } from '../data/fit.js';
import { pacer } from '../data/pause.js';
import { withChatTemplate } from '../data/read-chat-template.js';
import { parseRow } from '../data/rows.js';
import { LlamatuneError } from '../errors.js';
import { checkFiles } from '../files/check.js';
import { datasetFiles } from '../files/dataset-files.js';
import { filesOfRun } from '../files/run-files.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { useModel, vocabularyOf } from '../model/use-model.js';
import { Duplicates } from './duplicates.js';
import { describeLengths, LengthList } from './lengths.js';
import { previewRow } from './preview.js';
import type { DatasetInspection, LayoutCost } from './result.js';
import { addExample, RowGroups } from './row-groups.js';
import { SUSPICIONS, SuspicionFinder } from './suspicions.js';

/**
 * Reads a dataset as finetune() would, without training: the loss mask of its first rows, counts of tokens, lengths, rows
 * that cannot be trained on or are too long, duplicates, the padding of each layout, and what looks like a mistake. Only the
 * vocabulary of the model is loaded. Memory holds a few numbers per row.
 *
 * @throws LlamatuneError CONFIG_INVALID, MODEL_NOT_FOUND, NO_TOKENIZER, NO_CHAT_TEMPLATE, DATASET_NOT_FOUND and the other
 *   errors of a file that cannot be read on, ABORTED. Rows that cannot be trained on are part of the result.
 *
 * @example
 * const { targetTokens, suspicious } = await inspectDataset({ model: 'base.gguf', dataset: 'train.jsonl' });
 */
export async function inspectDataset(options: InspectDatasetOptions): Promise<DatasetInspection> {
  const given = parseConfig(inspectDatasetSchema, options, 'inspectDataset options');
  const config = withChatTemplate(given);
  checkFiles(filesOfRun(config));
  return useModel(config.model, vocabularyOf(config.signal), (model) =>
    new Inspection(model, config).run(),
  );
}

/** Layouts of models whose samples can share a row, and of recurrent models. */
const LAYOUTS: { packable: BatchLayout[]; recurrent: BatchLayout[] } = {
  packable: ['padding-free', 'packed', 'padded'],
  recurrent: ['by-length', 'padded'],
};

/** Samples that are laid out in one call of the addon, as whole steps. */
const SAMPLES_PER_CALL = 4096;

class Inspection {
  readonly #model: LoadedModel;
  readonly #config: InspectDatasetConfig;
  readonly #encoder: SampleEncoder;
  readonly #finder: SuspicionFinder;
  readonly #pace: ReturnType<typeof pacer>;
  readonly #result: DatasetInspection;
  readonly #badRows = new RowGroups();
  readonly #suspicious = new RowGroups();
  readonly #duplicates = new Duplicates();
  /** Lengths of the rows, and of the samples that they become. */
  readonly #lengths = new LengthList();
  readonly #sampleLengths = new LengthList();

  constructor(model: LoadedModel, config: InspectDatasetConfig) {
    this.#model = model;
    this.#config = config;
    this.#encoder = new SampleEncoder(model.textModel, config);
    this.#finder = new SuspicionFinder(model.textModel, this.#encoder);
    this.#pace = pacer(config.signal);
    this.#result = emptyResult(model.path, config);
  }

  async run(): Promise<DatasetInspection> {
    for (const { rows } of rowSources(this.#config.dataset)) {
      for await (const row of rows) {
        this.#add(row);
        await this.#pace();
      }
    }
    const { rows, remembered, examples } = this.#duplicates;
    return {
      ...this.#result,
      samples: this.#sampleLengths.count,
      lengths: describeLengths(this.#lengths.values),
      badRows: this.#badRows.list,
      suspicious: this.#suspicious.list,
      duplicates: { rows, remembered, examples },
      layouts: await this.#layouts(),
    };
  }

  #add({ row, where }: SourceRow): void {
    this.#result.rows += 1;
    try {
      const parsed = parseRow(row, where);
      const sample = this.#encoder.encode(parsed, where);
      this.#result.forms[parsed.kind] += 1;
      this.#lengths.push(sample.tokens.length);
      this.#duplicates.add(sample.tokens, where);
      const text = this.#encoder.speller.textOf(sample.tokens);
      for (const { code, detail } of this.#finder.find(parsed, sample, text)) {
        this.#suspicious.add(code, SUSPICIONS[code], where, detail);
      }
      const { preview } = this.#result;
      if (preview.length < this.#config.preview) {
        preview.push(previewRow(sample, where, this.#encoder.speller));
      }
      for (const each of this.#fit(sample, where)) {
        this.#sampleLengths.push(each.tokens.length);
        this.#result.tokens += each.tokens.length;
        for (const weight of each.weights) if (weight > 0) this.#result.targetTokens += 1;
      }
    } catch (error) {
      if (!(error instanceof LlamatuneError) || !ROW_ERRORS.has(error.code)) throw error;
      const detail = error.message.replace(`${where}: `, '');
      this.#badRows.add(error.code, error.hint, where, detail);
    }
  }

  /** The samples that a row becomes. */
  #fit(sample: EncodedSample, where: string): EncodedSample[] {
    const { sequenceLength, overlength, truncationSide } = this.#config;
    const { length } = sample.tokens;
    if (length <= sequenceLength) return [sample];
    const { tooLong } = this.#result;
    tooLong.rows += 1;
    addExample(tooLong.examples, where, `${length} tokens`);
    if (overlength !== 'error') {
      return fitSample(sample, where, { sequenceLength, overlength, truncationSide }, tooLong);
    }
    tooLong.refused += 1;
    return [];
  }

  async #layouts(): Promise<LayoutCost[]> {
    const lengths = this.#sampleLengths.values;
    if (lengths.length === 0) return [];
    const { canPack } = this.#model.info;
    const costs: LayoutCost[] = [];
    for (const layout of canPack ? LAYOUTS.packable : LAYOUTS.recurrent) {
      const computedTokens = await this.#computedTokens(layout, lengths);
      costs.push({ layout, computedTokens, padding: 1 - this.#result.tokens / computedTokens });
    }
    return costs;
  }

  async #computedTokens(layout: BatchLayout, lengths: Int32Array): Promise<number> {
    const { batchSize, sequenceLength, microBatchTokens } = this.#config;
    const longest = lengths.reduce((a, b) => Math.max(a, b), 2);
    const request = {
      ...{ layout, batchSize, sequenceLength, microBatchSize: 1 },
      microBatchTokens: Math.max(longest, microBatchTokens),
    };
    const size = Math.ceil(SAMPLES_PER_CALL / batchSize) * batchSize;
    let sum = 0;
    for (let at = 0; at < lengths.length; at += size) {
      const part = lengths.slice(at, at + size);
      sum += native((addon) => addon.computedTokens(part, request));
      await this.#pace();
    }
    return sum;
  }
}

function emptyResult(model: string, config: InspectDatasetConfig): DatasetInspection {
  const { loss, sequenceLength, overlength, batchSize, microBatchTokens, dataset } = config;
  return {
    model,
    files: datasetFiles(dataset).map(({ path }) => path),
    settings: { loss, sequenceLength, overlength, batchSize, microBatchTokens },
    rows: 0,
    forms: { chat: 0, completion: 0, text: 0, tokens: 0 },
    samples: 0,
    tokens: 0,
    targetTokens: 0,
    lengths: null,
    tooLong: { rows: 0, ...noCounts(), refused: 0, examples: [] },
    badRows: [],
    suspicious: [],
    duplicates: { rows: 0, remembered: 0, examples: [] },
    layouts: [],
    preview: [],
  };
}
