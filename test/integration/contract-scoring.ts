import type {
  EmbeddingEvent,
  EmbedTotals,
  NativeScoreOptions,
  ScoreProgressEvent,
  ScoreTotals,
  SequenceScoreEvent,
} from '../../src/contract/scoring.js';
import { keys } from './contract-keys.js';

// The parts of the contract that belong to scores and embeddings.

export const scoringResults: Record<string, string[]> = {
  SequenceScore: keys<SequenceScoreEvent>({
    type: true,
    index: true,
    tokens: true,
    targets: true,
    correct: true,
    logProbability: true,
    weight: true,
    loss: true,
    targetTokens: true,
    targetLogProbabilities: true,
  }),
  ScoreProgress: keys<ScoreProgressEvent>({
    type: true,
    sequences: true,
    totalSequences: true,
    tokens: true,
    totalTokens: true,
    etaMs: true,
  }),
  ScoreTotals: keys<ScoreTotals>({
    tokens: true,
    computedTokens: true,
    targets: true,
    correct: true,
    logProbability: true,
    loss: true,
    flashAttention: true,
    totalMs: true,
  }),
  EmbeddingEvent: keys<EmbeddingEvent>({ type: true, index: true, values: true }),
  EmbedTotals: keys<EmbedTotals>({
    tokens: true,
    dimensions: true,
    pooling: true,
    flashAttention: true,
    totalMs: true,
  }),
};

export const scoreOptions = keys<NativeScoreOptions>({
  adapters: true,
  perToken: true,
  flashAttention: true,
  threads: true,
  file: true,
  contextLength: true,
  batchSize: true,
});
