// Fine-tunes the small base model that comes with llamatune and shows what it learned.
//
//   npm run demo
//   node examples/demo/demo.mjs --maxSteps 10 --output /tmp/demo     # a quick look
//
// The base model answers questions in plain words. The dataset teaches it two new things: to answer as JSON, and facts
// about the Blue Owl, an invented shop. The questions at the end are not in the dataset.

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { finetune, generate, LlamatuneError, loadModel, renderLossCurve } from 'llamatune';

const here = fileURLToPath(new URL('.', import.meta.url));
const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    output: { type: 'string', default: join(here, 'output') },
    maxSteps: { type: 'string' },
  },
});

async function shippedModel() {
  const directory = join(here, '../../models');
  const name = (await readdir(directory)).find((file) => file.endsWith('.gguf'));
  return join(directory, name);
}

// Updates one line on a terminal; otherwise prints at most one line per second.
function progressLine() {
  let shownAt = 0;
  return ({ step, totalSteps, loss, learningRate, tokensPerSecond, etaMs }) => {
    const last = step === totalSteps;
    if (!process.stdout.isTTY && !last && Date.now() - shownAt < 1000) return;
    shownAt = Date.now();
    const bar = '█'.repeat(Math.round((20 * step) / totalSteps)).padEnd(20, '░');
    const line = [
      `${bar} ${step}/${totalSteps}`,
      `loss ${loss.toFixed(3)}`,
      `learning rate ${learningRate.toExponential(1)}`,
      `${tokensPerSecond === null ? '–' : Math.round(tokensPerSecond)} tokens/s`,
      `ETA ${etaMs === null ? '–' : Math.ceil(etaMs / 1000)} s`,
    ].join('  ');
    process.stdout.write(
      process.stdout.isTTY ? `\r\u001b[K${line}${last ? '\n' : ''}` : `${line}\n`,
    );
  };
}

async function answer(model, prompt, adapters) {
  const run = generate({
    model,
    adapters,
    messages: [{ role: 'user', content: prompt }],
    temperature: 0,
    maxTokens: 48,
  });
  return (await run.result).text.trim();
}

function isExpected(text, expected) {
  try {
    const given = JSON.parse(text);
    return given.answer === expected.answer && given.topic === expected.topic;
  } catch {
    return false;
  }
}

async function main() {
  const started = Date.now();
  await mkdir(values.output, { recursive: true });

  const path = values.model ?? (await shippedModel());
  // Training and generation share one loaded model. (In TypeScript, or with Node.js 24: `await using model = …`.)
  const model = await loadModel(path);
  try {
    await tuneAndCompare(model, started);
  } finally {
    await model.dispose();
  }
}

async function tuneAndCompare(model, started) {
  const file = (name) => join(values.output, name);
  const data = (name) => join(here, 'data', name);
  const { description, parameters } = model.info;
  console.log(`Base model: ${description}, ${(parameters / 1e6).toFixed(1)} million parameters`);

  const config = {
    dataset: data('train.jsonl'),
    output: file('adapter.gguf'),
    epochs: 10,
    sequenceLength: 128,
    batchSize: 8,
    lora: { rank: 16, alpha: 32 },
    optimizer: { learningRate: 4e-3 },
    scheduler: { type: 'cosine', warmupRatio: 0.1 },
    loss: 'assistant',
    validation: { dataset: data('validation.jsonl'), everySteps: 30 },
    seed: 42,
    ...(values.maxSteps === undefined ? {} : { maxSteps: Number(values.maxSteps) }),
  };
  console.log('Fine-tuning …');
  const history = [];
  const show = progressLine();
  const run = finetune({ model, ...config });
  for await (const event of run) {
    history.push(event);
    if (event.type === 'step') show(event);
    if (event.type === 'warning') console.error(`\nwarning ${event.code}: ${event.message}`);
  }
  const result = await run.result;
  await writeFile(
    file('loss.svg'),
    renderLossCurve(history, { title: 'Demo: loss of the fine-tuning' }),
  );
  console.log(
    `Loss ${result.losses[0].toFixed(3)} → ${result.finalLoss.toFixed(3)}, ` +
      `validation ${result.finalValidationLoss.toFixed(3)}, in ${result.seconds.toFixed(0)} s\n`,
  );

  const prompts = JSON.parse(await readFile(data('prompts.json'), 'utf8'));
  const table = new Table({
    head: ['Question', 'Base model', 'Fine-tuned model'],
    colWidths: [24, 30, 44],
    wordWrap: true,
    wrapOnWordBoundary: true,
    style: { head: [], border: [] },
  });
  const right = { base: 0, tuned: 0 };
  for (const { prompt, expected } of prompts) {
    const base = await answer(model, prompt, []);
    const tuned = await answer(model, prompt, [config.output]);
    if (isExpected(base, expected)) right.base++;
    if (isExpected(tuned, expected)) right.tuned++;
    table.push([prompt, base, tuned]);
  }
  console.log(table.toString());
  console.log(
    `As expected: base model ${right.base} of ${prompts.length}, fine-tuned model ${right.tuned} of ${prompts.length}`,
  );
  const written = ['adapter.gguf', 'adapter-log.jsonl', 'loss.svg'].map((name) =>
    relative('.', file(name)),
  );
  console.log(`Written: ${written.join(', ')}`);
  console.log(`Done in ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof LlamatuneError)) throw error;
  console.error(`error ${error.code}: ${error.message}\nhint: ${error.hint}`);
  process.exitCode = 1;
}
