import type { GenerateConfig } from '../config/generate.js';
import type { NativeRun } from './addon.js';
import type { ExpertCounts } from './model.js';

/** Fields that the preparation of a generation adds to the configuration. */
export interface PreparedGeneration {
  /** Most tokens of a prompt and its answer together; 0: the context length of the model. */
  contextLength: number;
  /** Prompt tokens per forward pass. */
  batchSize: number;
  /** Samples of each prompt. */
  samples: number;
  /** Sequences that are decoded together. */
  parallel: number;
  /** Bytes of cache for all sequences together, which lowers `parallel`; 0: no limit. */
  memoryLimit: number;
}

/** The validated configuration for the addon. */
export interface GenerateOptions
  extends Omit<GenerateConfig, keyof PreparedGeneration>,
    PreparedGeneration {}

/** A prompt as tokens, with a seed for each of its samples. */
export interface Prompt {
  index: number;
  tokens: Int32Array;
  seeds: number[];
}

/** Which sequence of a call something belongs to. */
export interface SequenceIndex {
  /** Position of the prompt, from 0. */
  promptIndex: number;
  /** Sample of the prompt, from 0. */
  sampleIndex: number;
}

/** One generated token. */
export interface TokenEvent extends SequenceIndex {
  type: 'token';
  token: number;
  /** The text that this token completes; '' while a character or a possible stop sequence is incomplete. */
  text: string;
}

/** How an answer was generated; times in milliseconds. */
export interface Answer {
  /** The generated text, without the stop sequence. */
  text: string;
  tokens: Int32Array;
  promptTokens: number;
  generatedTokens: number;
  /** From the start of the call to the first token, including loading adapters but not the model; null without a token. */
  timeToFirstTokenMs: number | null;
  /** Time of the forward passes of the prompt. */
  promptMs: number;
  /** From the end of the prompt to the last token. */
  generationMs: number;
}

/** A sequence that has ended. */
export interface SequenceOutcome extends Answer, SequenceIndex {
  type: 'sequence';
  /** `generate()` with this seed, this prompt and no other one gives the same text. */
  seed: number;
  /** Tokens of the prompt that another sequence had computed. */
  sharedPromptTokens: number;
  /**
   * 'eos': the model ended the text; 'stop': a stop sequence was generated; 'length': maxTokens was reached;
   * 'cancelled': by `cancel()`; 'error': see `error`.
   */
  finishReason: 'eos' | 'stop' | 'length' | 'cancelled' | 'error';
  /**
   * The experts that the tokens of all sequences used since the sequence that ended before this one, with
   * `expertStatistics`, otherwise null.
   */
  experts: ExpertCounts[] | null;
  /** Why this sequence failed, otherwise null. */
  error: { code: string; message: string; hint: string } | null;
}

/** Sums over all sequences of a call; times in milliseconds. */
export interface GenerationTotals {
  /** Most sequences that were decoded together. */
  parallel: number;
  /** Tokens of all prompts, once for each sample. */
  promptTokens: number;
  /** Those of them that were not computed, because another sequence had computed them. */
  sharedPromptTokens: number;
  generatedTokens: number;
  /** Time of the forward passes of prompts. */
  promptMs: number;
  /** Time of generated tokens: forward passes and sampling. */
  generationMs: number;
  /** Whether flash attention was used; null if no prompt was computed. */
  flashAttention: boolean | null;
  /**
   * The experts that the computed tokens used, with `expertStatistics`, otherwise null. The last layer computes only tokens
   * whose logits are needed.
   */
  experts: ExpertCounts[] | null;
}

/** A running generation, which takes prompts until it is closed. */
export interface NativeGeneration extends NativeRun<GenerationTotals> {
  add(prompt: Prompt): void;
  /** Ends a sequence; -1 ends all samples of the prompt. */
  cancel(promptIndex: number, sampleIndex: number): void;
  /** No more prompts: the run ends when all sequences have ended. */
  close(): void;
}
