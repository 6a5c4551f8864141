import { type ChinchillaOptions, chinchillaSchema } from '../config/chinchilla.js';
import { parseConfig } from '../config/parse.js';

/** Constants of the loss L(N, D) = E + A / N^alpha + B / D^beta, in nats per token, of N parameters and D tokens. */
export interface ScalingLaw {
  E: number;
  A: number;
  B: number;
  alpha: number;
  beta: number;
}

/** The fit of Besiroglu et al. 2024 (arXiv 2404.10102), which corrects approach 3 of Hoffmann et al. 2022 (arXiv 2203.15556). */
export const CHINCHILLA_LAW: ScalingLaw = {
  E: 1.8172,
  A: 482.01,
  B: 2085.43,
  alpha: 0.3478,
  beta: 0.3658,
};

/** Tokens per parameter of compute-optimal training (Hoffmann et al. 2022, arXiv 2203.15556: table 3). */
const TOKENS_PER_PARAMETER = 20;

/** FLOP per parameter and token of training: 2 forward, 4 backward (Kaplan et al. 2020, arXiv 2001.08361). */
const FLOP_PER_PARAMETER_AND_TOKEN = 6;

/** R*_D of Muennighoff et al. 2023 (arXiv 2305.16264), appendix A: how fast repeated tokens lose their value. */
const REPETITION_DECAY = 15.387756;

/** Epochs up to which repeated data is nearly as good as fresh data (Muennighoff et al. 2023, arXiv 2305.16264). */
const EPOCHS_LIKE_FRESH = 4;

/** The result of chinchillaAdvice(): advice, not a measurement. */
export interface ChinchillaAdvice {
  /** 20 tokens per parameter. */
  rule: ComputeOptimum;
  /** From the fitted loss: the tokens for which this number of parameters is the best use of the compute. */
  fit: ComputeOptimum;
  /** Epochs to train for: those of the rule, but not more than the 4 that are nearly as good as fresh data. */
  epochs: number;
  /** Tokens that this many epochs process. */
  trainedTokens: number;
  /** Fresh tokens that are worth as much as the trained ones. */
  effectiveTokens: number;
  /** Compute of this many epochs, in FLOP: 6 per parameter and token. */
  flop: number;
  /** In words, with what is not known. */
  notes: string[];
  sources: string[];
}

/** What is compute-optimal for a number of parameters. */
export interface ComputeOptimum {
  tokens: number;
  tokensPerParameter: number;
  /** Epochs over the dataset that give as many tokens. */
  epochs: number;
}

/** The compute-optimal number of tokens: the D for which N minimizes L(N, D) among all models with N D constant. */
export function computeOptimalTokens(parameters: number, law = CHINCHILLA_LAW): number {
  const { A, B, alpha, beta } = law;
  // dL/dN = 0 with D = C / 6N: alpha A / N^alpha = beta B / D^beta
  return ((beta * B * parameters ** alpha) / (alpha * A)) ** (1 / beta);
}

/** The loss that a scaling law predicts, in nats per token. */
export const predictedLoss = (
  parameters: number,
  tokens: number,
  { E, A, B, alpha, beta } = CHINCHILLA_LAW,
): number => E + A / parameters ** alpha + B / tokens ** beta;

/**
 * Fresh tokens that are worth as much as `epochs` epochs over `tokens` tokens: U + U R* (1 - exp(-(epochs - 1) / R*)) with
 * R* = 15.39 (Muennighoff et al. 2023, arXiv 2305.16264, equation 5).
 */
export const effectiveTokens = (tokens: number, epochs: number): number =>
  tokens * (1 + REPETITION_DECAY * (1 - Math.exp(-(epochs - 1) / REPETITION_DECAY)));

/**
 * How many tokens and epochs scaling laws advise for a model and a dataset. The laws were measured on pre-training from
 * scratch; what they do not say about fine-tuning is in `notes`.
 *
 * @throws LlamatuneError CONFIG_INVALID
 *
 * @example
 * const { epochs, notes } = chinchillaAdvice({ parameters: 600e6, tokens: 22_041, mode: 'lora' });
 */
export function chinchillaAdvice(options: ChinchillaOptions): ChinchillaAdvice {
  const config = parseConfig(chinchillaSchema, options, 'advice options');
  const { parameters, tokens, mode } = config;
  const optimum = (optimal: number): ComputeOptimum => ({
    tokens: optimal,
    tokensPerParameter: optimal / parameters,
    epochs: optimal / tokens,
  });
  const rule = optimum(TOKENS_PER_PARAMETER * parameters);
  const epochs = Math.min(EPOCHS_LIKE_FRESH, Math.max(1, Math.round(rule.epochs)));
  const trainedTokens = epochs * tokens;
  return {
    rule,
    fit: optimum(computeOptimalTokens(parameters)),
    epochs,
    trainedTokens,
    effectiveTokens: effectiveTokens(tokens, epochs),
    flop: FLOP_PER_PARAMETER_AND_TOKEN * parameters * trainedTokens,
    notes: [
      'This is advice from scaling laws, not a measurement of your model or data.',
      rule.epochs > EPOCHS_LIKE_FRESH
        ? `The dataset is smaller than compute-optimal even with ${EPOCHS_LIKE_FRESH} epochs: more epochs lose their value, more data does not.`
        : 'The dataset is large enough for compute-optimal training without many repetitions.',
      ...NOTES[mode],
    ],
    sources: [...SOURCES],
  };
}

const PRE_TRAINING =
  'The laws are about pre-training from scratch with each weight random at first. A model that is fine-tuned has seen its tokens already.';

const NOTES = {
  full: [
    PRE_TRAINING,
    'How many tokens are optimal for fine-tuning a pre-trained model is not known in general. Watch the evaluation loss.',
  ],
  lora: [
    PRE_TRAINING,
    'No such law is established for LoRA: the law counts the parameters that learn and that compute, and with LoRA they are not the same. Neither the parameters of the adapter nor those of the model are the right N.',
    'Use the number of epochs as an upper limit to start from, and stop when the evaluation loss rises.',
  ],
} as const;

const SOURCES = [
  'Hoffmann et al. 2022, arXiv 2203.15556: about 20 tokens per parameter, and L(N, D) = E + A / N^alpha + B / D^beta',
  'Besiroglu et al. 2024, arXiv 2404.10102: E 1.8172, A 482.01, B 2085.43, alpha 0.3478, beta 0.3658',
  'Muennighoff et al. 2023, arXiv 2305.16264: up to 4 epochs are nearly as good as fresh data',
] as const;
