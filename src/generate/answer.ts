import type { Answer } from '../contract/generation.js';

/** Rates in tokens per second, null if too short to measure. */
export interface AnswerRates {
  promptTokensPerSecond: number | null;
  /** Rate of the tokens after the first one. */
  tokensPerSecond: number | null;
}

export const perSecond = (tokens: number, ms: number): number | null =>
  tokens > 0 && ms > 0 ? (tokens * 1000) / ms : null;

export function ratesOf(answer: Answer & { sharedPromptTokens: number }): AnswerRates {
  const computed = answer.promptTokens - answer.sharedPromptTokens;
  return {
    promptTokensPerSecond: perSecond(computed, answer.promptMs),
    tokensPerSecond: perSecond(answer.generatedTokens - 1, answer.generationMs),
  };
}
