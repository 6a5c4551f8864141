// Writes the base model's training data: train.jsonl and validation.jsonl, the same bytes for the same seed.
//   node tools/base-model/generate-data.mjs [--seed 1] [--samples 48000] [--output .cache/base-model]

import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { drawQuestion } from './questions/topics.mjs';
import { hashText, Random } from './random.mjs';
import { longQuestion, paragraph } from './stories.mjs';

const plainSystem = [
  'You are a helpful assistant.',
  'You are a friendly assistant.',
  'You are Tiny, a small language model.',
  'Answer the question.',
];
const wordSystem = [
  'Answer with one word.',
  'Answer with as few words as possible.',
  'Give only the answer.',
];
const quoteSystem = ['Put the answer in quotes.', 'Quote the answer.'];

/** One combination in sixteen (fact and wording) is never trained on; small talk has no facts to put together. */
export const isHeldOut = (key) => !key.startsWith('chat:') && hashText(key) % 16 === 0;

/** Adds small typing variations, which must not change the answer. */
function typed(random, question) {
  let text = question;
  if (random.chance(0.08)) text = text[0].toLowerCase() + text.slice(1);
  if (random.chance(0.08) && /[?.]$/.test(text)) text = text.slice(0, -1);
  if (random.chance(0.04)) text = `Please tell me: ${text}`;
  if (random.chance(0.03)) text = `I have a question. ${text}`;
  return text;
}

/** A style that the system prompt asks for. */
const styles = [
  [10, { system: null, say: (draw) => draw.answer }],
  [3, { system: plainSystem, say: (draw) => draw.answer }],
  [3, { system: wordSystem, say: (draw) => draw.word }],
  [3, { system: quoteSystem, say: (draw) => `The answer is "${draw.word}".` }],
];

/** A row of plain text among the chats: the prompt is its first word, the completion is the rest. */
function continuation(text) {
  const end = text.indexOf(' ');
  return { prompt: text.slice(0, end), completion: text.slice(end) };
}

function drawRow(random) {
  if (random.chance(0.03)) return { keys: [], row: continuation(paragraph(random)) };
  const style = random.weighted(styles);
  const messages = [];
  const keys = [];
  if (style.system !== null) messages.push({ role: 'system', content: random.pick(style.system) });
  const turns = random.weighted([
    [85, 1],
    [12, 2],
    [3, 3],
  ]);
  for (let turn = 0; turn < turns; turn++) {
    const isLong = random.chance(0.04) && (style.system === null || style.system === plainSystem);
    const draw = isLong ? longQuestion(random) : drawQuestion(random);
    keys.push(draw.key);
    messages.push({ role: 'user', content: typed(random, draw.question) });
    // A text to repeat is repeated in every style.
    const content = draw.topic === 'repeat' ? draw.answer : style.say(draw);
    messages.push({ role: 'assistant', content });
  }
  return { keys, row: { messages } };
}

/**
 * Draws `samples` training rows, and the held-out rows met on the way (at most a twentieth of that).
 * @returns {{ train: object[], validation: object[] }}
 */
export function generateRows({ seed = 1, samples = 48000 } = {}) {
  const random = new Random(seed);
  const train = [];
  const validation = [];
  const validationSize = Math.max(1, Math.floor(samples / 20));
  while (train.length < samples || validation.length < validationSize) {
    const { keys, row } = drawRow(random);
    if (keys.some(isHeldOut)) {
      // A held-out question must not be trained on in a longer chat either.
      if (keys.every(isHeldOut) && validation.length < validationSize) validation.push(row);
    } else if (train.length < samples) {
      train.push(row);
    }
  }
  return { train, validation };
}

export const toJsonl = (list) => list.map((row) => `${JSON.stringify(row)}\n`).join('');

/** Writes both files into `output` and returns their paths. */
export function generateData({ seed, samples, output }) {
  const { train, validation } = generateRows({ seed, samples });
  mkdirSync(output, { recursive: true });
  const paths = {
    train: join(output, 'train.jsonl'),
    validation: join(output, 'validation.jsonl'),
  };
  writeFileSync(paths.train, toJsonl(train));
  writeFileSync(paths.validation, toJsonl(validation));
  return paths;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      samples: { type: 'string', default: '48000' },
      output: { type: 'string', default: '.cache/base-model' },
    },
  });
  const samples = Number(values.samples);
  if (!Number.isInteger(samples) || samples < 1) {
    console.error(
      `expected a positive whole number for --samples but received '${values.samples}'`,
    );
    process.exit(2);
  }
  const paths = generateData({ seed: Number(values.seed), samples, output: values.output });
  console.log(`${paths.train}\n${paths.validation}`);
}
