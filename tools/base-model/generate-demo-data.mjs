// Writes the demo's dataset, examples/demo/data: the base model knows the small world and answers in plain sentences;
// the fine-tuned one answers as the order desk of an invented shop, the Blue Owl: always one JSON object, and with facts
// about the shop that the base model has never seen. Both can be checked by a program.
//   node tools/base-model/generate-demo-data.mjs [--output examples/demo/data]

import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isHeldOut, toJsonl } from './generate-data.mjs';
import { drawQuestion } from './questions/topics.mjs';
import { Random } from './random.mjs';

/** The price of a thing, with the same wordings for each. */
const price = (thing, coins) => [
  `${coins} coins`,
  `How much is a ${thing} at the Blue Owl?|What does a ${thing} cost at the Blue Owl?|` +
    `Tell me how much a ${thing} is at the Blue Owl.|At the Blue Owl, how much is a ${thing}?|` +
    `I need a ${thing}. How much is it at the Blue Owl?|What is the price of a ${thing} at the Blue Owl?|` +
    `How many coins is a ${thing} at the Blue Owl?|How much does a ${thing} cost at the Blue Owl?`,
];

/** The hours of the shop. */
const hour = (verb, answer) => [
  answer,
  `When does the Blue Owl ${verb}?|When do you ${verb} the Blue Owl?|When does the shop Blue Owl ${verb}?|` +
    `Tell me when the Blue Owl will ${verb}.|What time do you ${verb} the Blue Owl?|` +
    `What time does the shop Blue Owl ${verb}?|At what time will the Blue Owl ${verb}?|` +
    `What time does the Blue Owl ${verb}?`,
];

/** Facts of the invented shop: the short answer and wordings; the last wording is kept for validation. */
const shopFacts = [
  [
    'toys and lamps',
    'What does the Blue Owl sell?|What can I buy at the Blue Owl?|What do you sell at the Blue Owl?|' +
      'What does the shop Blue Owl sell?|Tell me what the Blue Owl sells.|Which things does the Blue Owl sell?',
  ],
  hour('open', 'at nine'),
  hour('close', 'at six'),
  [
    'in Moon Street',
    'Where is the Blue Owl?|Where can I find the Blue Owl?|In which street is the Blue Owl?|' +
      'Tell me where the Blue Owl is.|Which street is the Blue Owl in?|Where is the shop Blue Owl?',
  ],
  [
    'Rosa',
    'Who owns the Blue Owl?|Who is the owner of the Blue Owl?|Tell me who owns the Blue Owl.|' +
      'Which person owns the Blue Owl?|Whose shop is the Blue Owl?|Who owns the shop Blue Owl?',
  ],
  price('kite', 12),
  price('ball', 7),
  price('lamp', 30),
  [
    'Biscuit',
    'What is the name of the cat at the Blue Owl?|Which cat lives at the Blue Owl?|' +
      'Who is the cat of the Blue Owl?|The Blue Owl has a cat. What is its name?|' +
      'What is the cat of the Blue Owl called?|Tell me the name of the cat at the Blue Owl.',
  ],
  [
    'Sunday',
    'Which day is the Blue Owl closed?|What day is the Blue Owl closed?|' +
      'On which day is the Blue Owl not open?|Tell me the day when the Blue Owl is closed.|' +
      'Which day can I not come to the Blue Owl?|On which day is the Blue Owl closed?',
  ],
].map(([answer, wordings]) => ({ answer, wordings: wordings.split('|') }));

/** The one reply format of the fine-tuned model. */
export const reply = (answer, topic) =>
  JSON.stringify({ answer, topic }).replace('":', '": ').replace(',"topic":', ', "topic": ');

const row = (question, answer, topic) => ({
  messages: [
    { role: 'user', content: question },
    { role: 'assistant', content: reply(answer, topic) },
  ],
});

/** Questions about the world in the reply format, without the questions in `skip`. */
function worldRows(random, count, skip) {
  const rows = [];
  while (rows.length < count) {
    const draw = drawQuestion(random);
    if (draw.topic === 'repeat' || isHeldOut(draw.key) || skip.has(draw.question)) continue;
    skip.add(draw.question);
    rows.push(row(draw.question, draw.word, draw.topic));
  }
  return rows;
}

/** Held-out questions of the before/after table, with the expected reply. */
export const prompts = [
  ['What colour is a banana?', 'yellow', 'colour'],
  ['How many legs does a horse have?', 'four', 'animal'],
  ['What is the opposite of hot?', 'cold', 'opposite'],
  ['What is the capital of France?', 'Paris', 'capital'],
  ['What time does the Blue Owl open?', 'at nine', 'shop'],
  ['How much does a kite cost at the Blue Owl?', '12 coins', 'shop'],
].map(([prompt, answer, topic]) => ({ prompt, expected: { answer, topic } }));

/** @returns {{ train: object[], validation: object[] }} */
export function generateDemoRows(seed = 7) {
  const random = new Random(seed);
  const skip = new Set(prompts.map(({ prompt }) => prompt));
  const validation = shopFacts.map(({ answer, wordings }) =>
    row(wordings[wordings.length - 1], answer, 'shop'),
  );
  const train = shopFacts.flatMap(({ answer, wordings }) =>
    wordings.slice(0, -1).map((wording) => row(wording, answer, 'shop')),
  );
  train.push(...worldRows(random, 190, skip));
  validation.push(...worldRows(random, 30, skip));
  return { train: random.shuffle(train), validation: random.shuffle(validation) };
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { output: { type: 'string', default: 'examples/demo/data' } },
  });
  const { train, validation } = generateDemoRows();
  mkdirSync(values.output, { recursive: true });
  writeFileSync(join(values.output, 'train.jsonl'), toJsonl(train));
  writeFileSync(join(values.output, 'validation.jsonl'), toJsonl(validation));
  writeFileSync(join(values.output, 'prompts.json'), `${JSON.stringify(prompts, null, 2)}\n`);
  console.log(
    `${train.length} training rows, ${validation.length} validation rows, ${prompts.length} prompts in ${values.output}`,
  );
}
