import type { GenerateConfig } from '../config/generate.js';

/** Fields that the preparation of a generation adds to the configuration. */
export interface PreparedGeneration {
  prompt: Int32Array;
  maxTokens: number;
  /** Maximum tokens of prompt and answer together. */
  contextLength: number;
  /** Prompt tokens per forward pass. */
  batchSize: number;
}

/** The validated configuration with the prompt as tokens. */
export interface GenerateOptions
  extends Omit<GenerateConfig, keyof PreparedGeneration>,
    PreparedGeneration {}

/** One generated token. */
export interface TokenEvent {
  type: 'token';
  token: number;
  /** The text that this token completes; '' while a character or a possible stop sequence is incomplete. */
  text: string;
}

/** What the engine returns for a generation; times in milliseconds. */
export interface GenerateOutcome {
  /** The generated text, without the stop sequence. */
  text: string;
  tokens: Int32Array;
  promptTokens: number;
  generatedTokens: number;
  /** 'eos': the model ended the text; 'stop': a stop sequence was generated; 'length': maxTokens was reached. */
  finishReason: 'eos' | 'stop' | 'length';
  /** From the start of the call to the first token, including loading adapters but not the model. */
  timeToFirstTokenMs: number;
  /** Time of the forward passes of the prompt. */
  promptMs: number;
  /** From the end of the prompt to the last token. */
  generationMs: number;
}
