/** What all cells share: the training that each column does, and how its answers are generated. */
export const settings = {
  epochs: 3,
  batchSize: 8,
  sequenceLength: 256,
  rank: 8,
  alpha: 16,
  learningRate: 5e-4,
  warmupRatio: 0.1,
  weightDecay: 0.01,
  maxGradientNorm: 1,
  maxTokens: 64,
  threads: 0,
};

/** Labels of the rows. */
export const LABELS = ['Yes', 'No', 'Uncertain'];

/** PEFT's names of the linear layers; llamatune's 'all-linear' trains the same ones. */
export const PEFT_MODULES = [
  ...['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
];

/** The models, and whether their rows are conversations; a base model without a chat template continues a text. */
export const MODELS = {
  'smollm2-135m': { title: 'SmolLM2-135M-Instruct', chat: true },
  'gemma-3-270m': { title: 'Gemma 3 270M', chat: false },
};

/** Weights of the base model: PEFT trains on BF16, and its adapters are evaluated on it. */
export const WEIGHTS = ['BF16', 'Q8_0', 'Q4_0'];

/** The trained columns: which trainer, on which weights. */
export const COLUMNS = [
  { trainer: 'llamatune', weights: 'Q4_0' },
  { trainer: 'llamatune', weights: 'Q8_0' },
  { trainer: 'peft', weights: 'BF16' },
];

/** 'smollm2-135m/llamatune-Q4_0-seed1', also the path of its files below the output. */
export const cellName = ({ model, trainer, weights, seed }) =>
  `${model}/${trainer}-${weights}${seed === undefined ? '' : `-seed${seed}`}`;

/** All cells that train, seed by seed, so that an interrupted benchmark has whole seeds. */
export function trainedCells(models, seeds) {
  return seeds.flatMap((seed) =>
    models.flatMap((model) => COLUMNS.map((column) => ({ model, ...column, seed }))),
  );
}
