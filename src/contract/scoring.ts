import type { EmbedConfig } from '../config/embed.js';
import type { ScoreConfig } from '../config/score.js';

/** The validated configuration of a scoring for the addon. */
export interface NativeScoreOptions
  extends Pick<ScoreConfig, 'adapters' | 'perToken' | 'flashAttention' | 'threads'> {
  /** Token file of the sequences. */
  file: string;
  /** Most tokens of a sequence. */
  contextLength: number;
  /** Tokens per forward pass. */
  batchSize: number;
}

/** The scores of a sequence. A target is a token with a weight above 0. */
export interface SequenceScore {
  /** Position in `sequences` or of the sample in the dataset, from 0. */
  index: number;
  tokens: number;
  targets: number;
  /** Targets that are the most likely token. */
  correct: number;
  /** Sum of log p(target | tokens before it), natural logarithm, whatever the weights. */
  logProbability: number;
  /** Sum of the weights. */
  weight: number;
  /** Weighted mean of -log p over the targets. */
  loss: number | null;
  /** With `perToken`: the targets in their order. */
  targetTokens: Int32Array | null;
  /** With `perToken`: log p of each target. */
  targetLogProbabilities: Float32Array | null;
}

/** A sequence that is scored. Sequences end in any order. */
export interface SequenceScoreEvent extends SequenceScore {
  type: 'sequence';
}

/** How far a scoring is; times in milliseconds. */
export interface ScoreProgressEvent {
  type: 'progress';
  sequences: number;
  totalSequences: number;
  tokens: number;
  totalTokens: number;
  etaMs: number;
}

/** Sums over all sequences of a scoring. */
export interface ScoreTotals {
  tokens: number;
  /** Tokens of the forward passes: common beginnings count once, tokens after the last target not. */
  computedTokens: number;
  targets: number;
  /** Targets that are the most likely token. */
  correct: number;
  /** Sum over all targets, natural logarithm. */
  logProbability: number;
  /** Weighted mean of -log p over all targets: what training's evaluation computes. */
  loss: number | null;
  /** Whether flash attention was used; null if nothing was computed. */
  flashAttention: boolean | null;
  /** Without loading the model, in milliseconds. */
  totalMs: number;
}

/** The validated configuration of embeddings for the addon, with the texts as tokens. */
export interface NativeEmbedOptions extends Omit<EmbedConfig, 'texts'> {
  texts: Int32Array[];
  /** Tokens per forward pass, more if a text is longer. */
  batchSize: number;
}

/** The vector of a text. */
export interface EmbeddingEvent {
  type: 'embedding';
  /** Position in `texts`, from 0. */
  index: number;
  values: Float32Array;
}

/** Sums over all texts. */
export interface EmbedTotals {
  tokens: number;
  /** Length of the vectors. */
  dimensions: number;
  /** The pooling that was used. */
  pooling: 'mean' | 'cls' | 'last';
  /** Whether flash attention was used. */
  flashAttention: boolean;
  /** Without loading the model, in milliseconds. */
  totalMs: number;
}
