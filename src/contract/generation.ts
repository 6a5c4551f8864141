import type { GenerateConfig } from '../config/generate.js';

/** What only the preparation of a generation knows. */
export interface PreparedGeneration {
  prompt: Int32Array;
  maxTokens: number;
  /** Tokens of prompt and answer together. */
  contextLength: number;
  /** Prompt tokens per forward pass. */
  batchSize: number;
}

/** The configuration as the user gave it, checked and completed, with the prompt as tokens. */
export interface GenerateOptions
  extends Omit<GenerateConfig, keyof PreparedGeneration>,
    PreparedGeneration {}

/** One generated token. */
export interface TokenEvent {
  type: 'token';
  token: number;
  /** The text that this token completes; '' while a character or a possible stop text is incomplete. */
  text: string;
}

export interface GenerateOutcome {
  /** Everything that was generated, without the stop text. */
  text: string;
  tokens: Int32Array;
  promptTokens: number;
  generatedTokens: number;
  /** 'eos': the model ended the text; 'stop': a stop text was generated; 'length': maxTokens was reached. */
  finishReason: 'eos' | 'stop' | 'length';
  /** From the start of the call to the first token, loading adapters included, loading the model not. */
  timeToFirstTokenMs: number;
  /** Forward passes of the prompt. */
  promptMs: number;
  /** From the end of the prompt to the last token. */
  generationMs: number;
}
