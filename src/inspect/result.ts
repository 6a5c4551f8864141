import type { InspectDatasetConfig } from '../config/inspect-dataset.js';
import type { BatchLayout } from '../contract/training.js';

/** Rows that have something in common. */
export interface RowGroup {
  /** For programs, e.g. 'EMPTY_ANSWER' or the code of an error. */
  code: string;
  /** What the rows have in common; of bad rows, what to do. */
  message: string;
  rows: number;
  /** The first of them: the name of the row, and what was found there. */
  examples: { where: string; detail: string }[];
}

/** Number of samples with a length from `from` to `to` tokens. */
export interface LengthBin {
  from: number;
  to: number;
  samples: number;
}

/** Lengths of the rows in tokens, before anything is cut. */
export interface Lengths {
  shortest: number;
  median: number;
  mean: number;
  /** 95 % of the rows are not longer. */
  p95: number;
  longest: number;
  histogram: LengthBin[];
}

/** What a layout of micro-batches would compute in an epoch. */
export interface LayoutCost {
  layout: BatchLayout;
  /** Tokens including padding. */
  computedTokens: number;
  /** Fraction of them that is padding. */
  padding: number;
}

/** A part of a row whose tokens have the same loss weight. */
export interface MarkedPart {
  text: string;
  /** 0: not learned. */
  weight: number;
}

/** A row as the model sees it. */
export interface PreviewRow {
  where: string;
  tokens: number;
  targetTokens: number;
  /** The text of the tokens, control tokens included, up to 2000 tokens. */
  parts: MarkedPart[];
  /** Whether the parts end before the row does. */
  shortened: boolean;
}

/** What inspectDataset() found. */
export interface DatasetInspection {
  /** Path of the model. */
  model: string;
  /** Files of the dataset; empty for rows from memory. */
  files: string[];
  settings: Pick<
    InspectDatasetConfig,
    'loss' | 'sequenceLength' | 'overlength' | 'batchSize' | 'microBatchTokens'
  >;
  rows: number;
  /** Rows of each form; bad rows are not among them. */
  forms: { chat: number; completion: number; text: number; tokens: number };
  /** Samples that training would see in an epoch; weights of files are not applied. */
  samples: number;
  /** Tokens of the samples. */
  tokens: number;
  /** Tokens that carry a loss. */
  targetTokens: number;
  /** null if no row could be tokenized. */
  lengths: Lengths | null;
  /** Rows longer than sequenceLength, and what happens to them. */
  tooLong: {
    rows: number;
    truncated: number;
    /** Truncated rows that lost a part of what is learned. */
    answersCut: number;
    split: number;
    skipped: number;
    /** Rows that end a training run, with overlength 'error'. */
    refused: number;
    examples: { where: string; detail: string }[];
  };
  /** Rows that cannot be trained on, by the code of their error. */
  badRows: RowGroup[];
  /** What looks like a mistake. */
  suspicious: RowGroup[];
  duplicates: {
    /** Rows whose tokens are those of an earlier row. */
    rows: number;
    /** Distinct rows that were remembered: among more rows than these, repetitions are not found. */
    remembered: number;
    examples: { where: string; detail: string }[];
  };
  /** Empty if there is no sample. */
  layouts: LayoutCost[];
  /** Rows at the start of the dataset. */
  preview: PreviewRow[];
}
