// Makes the base model of this repository from scratch: data, tokenizer, random weights, full-parameter
// training, quantization, and a check of what it learned. `npm run build` first.
//   node tools/base-model/make.mjs [--output models/tiny-chat-q8_0.gguf] [--work .cache/base-model] [--seed 1]
//        [--samples 48000] [--epochs 1] [--max-steps n] [--threads n] [--check 200] [--resume] [--dry-run]
// Writes the measurements to <output>.json. See models/README.md.

import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chatTemplate } from './chat-template.mjs';
import { generateData } from './generate-data.mjs';
import { trainTokenizer } from './train-tokenizer.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));

const architecture = {
  architecture: 'qwen3',
  name: 'llamatune tiny-chat',
  contextLength: 512,
  embeddingLength: 256,
  layers: 4,
  heads: 8,
  kvHeads: 2,
  headLength: 32,
  feedForwardLength: 640,
  ropeFrequencyBase: 10000,
  tieEmbeddings: true,
  initStd: 0.02,
};
const vocabularySize = 2304;

const training = {
  sequenceLength: 128,
  batchSize: 24,
  overlength: 'skip',
  loss: 'assistant',
  optimizer: {
    learningRate: 2.5e-3,
    beta1: 0.9,
    beta2: 0.98,
    weightDecay: 0.05,
    maxGradientNorm: 1,
  },
  scheduler: { type: 'cosine', warmupRatio: 0.05, minLearningRate: 5e-5 },
};

/** Options of the command line; every number is checked before any work. */
function readOptions() {
  const { values } = parseArgs({
    options: {
      output: { type: 'string', default: join(root, 'models/tiny-chat-q8_0.gguf') },
      work: { type: 'string', default: join(root, '.cache/base-model') },
      seed: { type: 'string', default: '1' },
      samples: { type: 'string', default: '48000' },
      epochs: { type: 'string', default: '1' },
      'max-steps': { type: 'string' },
      threads: { type: 'string', default: '0' },
      check: { type: 'string', default: '200' },
      resume: { type: 'boolean', default: false },
      'dry-run': { type: 'boolean', default: false },
    },
  });
  const number = (name, least) => {
    const value = values[name] === undefined ? undefined : Number(values[name]);
    if (value !== undefined && (!Number.isInteger(value) || value < least)) {
      throw new RangeError(
        `expected a whole number from ${least} for --${name} but received '${values[name]}'`,
      );
    }
    return value;
  };
  return {
    output: values.output,
    work: values.work,
    seed: number('seed', 0),
    samples: number('samples', 1),
    epochs: number('epochs', 1),
    maxSteps: number('max-steps', 1),
    threads: number('threads', 0),
    check: number('check', 0),
    resume: values.resume,
    dryRun: values['dry-run'],
  };
}

/** The package itself, once it is built. */
async function importLlamatune() {
  try {
    return await import('../../dist/index.js');
  } catch (cause) {
    throw new Error("dist/ is missing or cannot be loaded: run 'npm run build' first", { cause });
  }
}

const time = (ms) =>
  ms === null
    ? '?'
    : `${Math.floor(ms / 60000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, '0')}`;

/** Trains every parameter, from random weights. */
async function train({ finetuneFull }, options, paths) {
  const run = finetuneFull({
    model: paths.initial,
    dataset: paths.train,
    output: paths.trained,
    runLog: paths.log,
    epochs: options.epochs,
    ...(options.maxSteps === undefined ? {} : { maxSteps: options.maxSteps }),
    ...training,
    validation: { dataset: paths.validation, everySteps: 200 },
    checkpoint: { directory: paths.checkpoints, everySteps: 200, resume: options.resume && 'auto' },
    seed: options.seed,
    threads: options.threads,
  });
  for await (const event of run) {
    if (event.type === 'step' && (event.step % 20 === 0 || event.step === event.totalSteps)) {
      console.log(
        `step ${event.step}/${event.totalSteps}  loss ${event.loss.toFixed(4)}  ` +
          `${Math.round(event.tokensPerSecond ?? 0)} tokens/s  ${time(event.etaMs)} left`,
      );
    }
    if (event.type === 'evaluation')
      console.log(`step ${event.step}  validation loss ${event.loss.toFixed(4)}`);
    if (event.type === 'warning') console.warn(`${event.code}: ${event.message}`);
  }
  return await run.result;
}

/** Counts the held-out chats whose last answer is generated word for word with greedy sampling. */
async function check({ generate, loadModel }, options, paths) {
  const chats = readFileSync(paths.validation, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).messages)
    .filter((messages) => messages !== undefined)
    .slice(0, options.check);
  const model = await loadModel({ model: options.output, purpose: 'generate' });
  let right = 0;
  try {
    for (const messages of chats) {
      const expected = messages.at(-1).content;
      const run = generate({
        model,
        messages: messages.slice(0, -1),
        temperature: 0,
        maxTokens: 96,
        threads: options.threads,
      });
      const { text } = await run.result;
      if (text.trim() === expected) right++;
      else
        console.log(
          `  asked: ${messages.at(-2).content}\n    expected: ${expected}\n    received: ${text.trim()}`,
        );
    }
  } finally {
    await model.dispose();
  }
  return { right, asked: chats.length };
}

async function main() {
  const options = readOptions();
  const paths = {
    initial: join(options.work, 'initial-f32.gguf'),
    trained: join(options.work, 'trained-f32.gguf'),
    checkpoints: join(options.work, 'checkpoints'),
    log: join(options.work, 'run.jsonl'),
    tokenizer: join(options.work, 'tokenizer.json'),
    ...generateData({ seed: options.seed, samples: options.samples, output: options.work }),
  };
  const tokenizer = trainTokenizer({
    files: [paths.train],
    size: vocabularySize,
    output: paths.tokenizer,
  });
  console.log(
    `${options.samples} samples, ${tokenizer.tokens.length} tokens in ${relative(process.cwd(), options.work)}`,
  );
  if (options.dryRun) return;

  const llamatune = await importLlamatune();
  const { tokens } = tokenizer;
  await llamatune.createModel({
    path: paths.initial,
    ...architecture,
    vocabulary: {
      ...tokenizer,
      eosToken: tokens.indexOf('<|im_end|>'),
      padToken: tokens.indexOf('<|endoftext|>'),
    },
    chatTemplate,
    seed: options.seed,
  });
  const result = await train(llamatune, options, paths);
  mkdirSync(dirname(options.output), { recursive: true });
  await llamatune.quantizeModel({
    input: paths.trained,
    output: options.output,
    type: 'Q8_0',
    threads: options.threads,
  });
  const record = {
    seed: options.seed,
    samples: options.samples,
    vocabulary: tokens.length,
    parameters: result.trainableParameters,
    bytes: statSync(options.output).size,
    steps: result.steps,
    tokens: result.tokens,
    targetTokens: result.targetTokens,
    seconds: Math.round(result.seconds),
    finalLoss: result.finalLoss,
    finalValidationLoss: result.finalValidationLoss,
    heldOut: options.check > 0 ? await check(llamatune, options, paths) : null,
    architecture,
    training,
  };
  writeFileSync(`${options.output}.json`, `${JSON.stringify(record, null, 2)}\n`);
  console.log(JSON.stringify(record, null, 2));
}

try {
  await main();
} catch (error) {
  console.error(error.hint ? `${error.message}\n${error.hint}` : error.message);
  process.exitCode =
    error instanceof RangeError || error.code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1;
}
