/**
 * Trains adapters for the models of tools/peft/fixtures.py, exports them and writes the log-probabilities of the next token:
 *
 *     node tools/peft/export.mjs test/integration/peft <folder>
 *
 * `tools/peft/fixtures.py check` compares them with what PEFT and Transformers compute.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { exportAdapter, finetuneLora } from '../../dist/index.js';

const VOCABULARY = 64;
const [fixtures, output] = process.argv.slice(2).map((path) => resolve(path));

/** A run of one step per row, in order, without shuffling. */
const train = (options, learningRate) =>
  finetuneLora({
    batchSize: 1,
    epochs: 1,
    shuffle: false,
    precision: 'f32',
    device: 'cpu',
    optimizer: { learningRate, weightDecay: 0 },
    scheduler: { type: 'constant', warmupSteps: 0 },
    ...options,
  }).result;

const wholeName = (target) => (target.includes('*') ? `blk.*.${target}` : target);

for (const name of readdirSync(fixtures)) {
  const model = join(fixtures, name, 'model.gguf');
  const folder = join(output, name);
  const adapter = join(folder, 'adapter.gguf');
  mkdirSync(folder, { recursive: true });
  const { tokens } = JSON.parse(readFileSync(join(fixtures, name, 'logits.json'), 'utf8'));
  const rows = Array.from({ length: 8 }, (_, i) => ({
    tokens: Array.from({ length: 12 }, (_, j) => (7 * i + 11 * j) % VOCABULARY),
  }));
  const targets = [
    'all-linear',
    ...(['qwen3moe', 'llama4'].includes(name) ? ['ffn_gate_inp', 'ffn_*_exps.weight'] : []),
  ];
  const lora = { rank: 4, alpha: 12, rsLora: name === 'llama', targets: targets.map(wholeName) };
  await train({ model, dataset: rows, output: adapter, sequenceLength: 12, lora }, 0.02);
  const { modules, modelClass } = await exportAdapter({ model, adapter, output: folder });

  const nextTokens = Array.from({ length: VOCABULARY }, (_, token) => ({
    tokens: [...tokens, token],
    mask: [...tokens.map(() => 0), 1],
  }));
  const { losses } = await train(
    {
      model,
      dataset: nextTokens,
      output: join(folder, 'unused.gguf'),
      sequenceLength: tokens.length + 1,
      lora: { initAdapter: adapter },
    },
    1e-30, // changes no weight
  );
  const logProbabilities = Array.from(losses, (loss) => -loss);
  writeFileSync(join(folder, 'log-probabilities.json'), `${JSON.stringify(logProbabilities)}\n`);
  console.log(`${name}: exported ${modules} modules of ${modelClass}`);
}
