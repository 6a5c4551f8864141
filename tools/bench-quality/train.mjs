/**
 * Trains one cell in this process and prints its measurements as JSON:
 *
 *     node tools/bench-quality/train.mjs '{ "cell": …, "settings": …, "data": …, "base": …, "output": … }'
 */
import { finetune } from '../../dist/index.js';
import { readQuestions, trainingRow } from './rows.mjs';
import { MODELS } from './settings.mjs';

const { cell, settings, data, base, output } = JSON.parse(process.argv[2]);
const { chat } = MODELS[cell.model];
const rowsOf = (name) => readQuestions(data, name).map((row) => trainingRow(row, chat));

const started = performance.now();
const result = await finetune({
  model: base,
  dataset: rowsOf('train'),
  output,
  epochs: settings.epochs,
  batchSize: settings.batchSize,
  sequenceLength: settings.sequenceLength,
  lora: { rank: settings.rank, alpha: settings.alpha, targets: ['all-linear'] },
  optimizer: {
    learningRate: settings.learningRate,
    weightDecay: settings.weightDecay,
    maxGradientNorm: settings.maxGradientNorm,
  },
  scheduler: { type: 'cosine', warmupRatio: settings.warmupRatio },
  validation: { dataset: rowsOf('validation') },
  modelCard: false,
  threads: settings.threads,
  seed: cell.seed,
}).result;

console.log(
  JSON.stringify({
    losses: [...result.losses],
    validationLoss: result.finalValidationLoss,
    steps: result.steps,
    tokens: result.tokens,
    targetTokens: result.targetTokens,
    tokensPerSecond: result.tokensPerSecond,
    trainingSeconds: result.seconds,
    totalSeconds: (performance.now() - started) / 1000,
    peakMemoryBytes: result.peakMemoryBytes,
    trainableParameters: result.trainableParameters,
  }),
);
