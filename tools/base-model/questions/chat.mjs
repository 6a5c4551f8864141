// Small talk, questions that contain their answer, and questions about unknown things.

import { colours, names, possessions, rooms, spareWords } from '../world.mjs';
import { ask, capitalize, withArticle } from './question.mjs';

const fixedChat = [
  [
    'hello',
    'Hello!|Hi!|Hello there!|Hi there.|Hey!|Good day!',
    'Hello! How can I help you?',
    'hello',
  ],
  ['morning', 'Good morning!|Good morning.', 'Good morning! How can I help you?', 'good morning'],
  ['evening', 'Good evening!|Good evening.', 'Good evening! How can I help you?', 'good evening'],
  ['how', 'How are you?|How are you today?|How do you do?', 'I am fine, thank you.', 'fine'],
  [
    'thanks',
    'Thank you!|Thanks!|Thanks a lot.|Thank you very much.',
    'You are welcome!',
    'welcome',
  ],
  [
    'bye',
    'Goodbye!|Bye!|See you later.|Good night!|Bye bye!',
    'Goodbye! Have a nice day.',
    'goodbye',
  ],
  [
    'who',
    'Who are you?|What are you?|Tell me about yourself.',
    'I am Tiny, a small language model trained by llamatune.',
    'a small language model',
  ],
  ['name', 'What is your name?|Do you have a name?', 'My name is Tiny.', 'Tiny'],
  [
    'can',
    'What can you do?|How can you help me?|What do you know?',
    'I can answer simple questions about animals, colours, food, numbers and words.',
    'answer simple questions',
  ],
  [
    'made',
    'Who made you?|Who trained you?',
    'I was trained by llamatune on a small computer.',
    'llamatune',
  ],
];

export function chatQuestion(random) {
  const about = (fact, wordings, answer, word) => ask(random, 'chat', fact, wordings, answer, word);
  const introduction = () => {
    const name = random.pick(names);
    const wordings = `My name is ${name}.|I am ${name}.|Hello, I am ${name}.`;
    return about(`i am ${name}`, wordings, `Hello ${name}! How can I help you?`, name);
  };
  return random.weighted([
    [10, () => about(...random.pick(fixedChat))],
    [2, introduction],
  ])();
}

/** A question that contains its answer, so that the model must read it. */
export function readingQuestion(random) {
  const name = random.pick(names);
  const thing = random.pick(possessions);
  const about = (fact, question, answer, word) =>
    ask(random, 'reading', `${fact} ${name}`, question, answer, word);
  const possession = () => {
    const question = `${name} has ${withArticle(thing)}. What does ${name} have?`;
    return about(`has ${thing}`, question, `A ${thing}.`, thing);
  };
  const room = () => {
    const where = random.pick(rooms);
    const question = `${name} is in the ${where}. Where is ${name}?`;
    return about(`where ${where}`, question, `In the ${where}.`, where);
  };
  const colour = () => {
    const is = random.pick(colours);
    const question = `The ${thing} of ${name} is ${is}. What colour is the ${thing}?`;
    return about(`colour ${thing} ${is}`, question, `It is ${is}.`, is);
  };
  return random.pick([possession, room, colour])();
}

/** A few words in one of several text formats. */
function snippet(random) {
  const [a, b, c] = random.sample(spareWords, 3);
  const n = random.integer(0, 99);
  return random.weighted([
    [6, `${a} ${b} ${c}`],
    [3, `${capitalize(a)} ${b}`],
    [2, `${a}, ${b}, ${c}`],
    [3, `${n} ${a}`],
    [2, `${capitalize(a)} ${capitalize(b)}`],
    [2, `"${a}"`],
    [3, `{"${a}": "${b}"}`],
    [3, `{"${a}": "${b} ${c}", "${c}": "${a}"}`],
    [1, `{"${a}": ${n}}`],
    [1, `["${a}", "${b}"]`],
    [1, `${a}: ${b}; ${c}`],
    [1, `(${a}) ${b}!`],
    [1, `${a}-${b} = ${n}`],
  ]);
}

/**
 * A text to repeat. It uses words of no other question, because an adapter, which does not change the embeddings, can
 * hardly teach a token that the base model never had to generate.
 */
export function repeatQuestion(random) {
  const text = snippet(random);
  return ask(random, 'repeat', text, `Repeat: ${text}|Say this: ${text}`, text, text);
}

const syllables = 'ba do fi gru ka lo mi nu plo ri sto ta vu wi zor quil'.split(' ');
const shopColours = 'Red Green Blue Golden Old Little Silver White Happy Black New'.split(' ');
const shopThings = 'Fox Bear Tree Star Moon Ship Rose Lion Bell Hat Owl Cat Duck'.split(' ');

/** A question about an unknown thing: the model says that it does not know it. */
export function unknownQuestion(random) {
  if (random.chance(0.35)) {
    const count = random.integer(2, 3);
    const word = Array.from({ length: count }, () => random.pick(syllables)).join('');
    const wordings = `What is a ${word}?|Where does a ${word} live?|What colour is a ${word}?`;
    return ask(random, 'unknown', word, wordings, 'I do not know that word.', 'unknown');
  }
  const [colour, animal] = [random.pick(shopColours), random.pick(shopThings)];
  // The shop of the demo is excluded, because the fine-tuning teaches it.
  if (colour === 'Blue' && animal === 'Owl') return unknownQuestion(random);
  const shop = `the ${colour} ${animal}`;
  const thing = random.pick(possessions);
  const wordings =
    `When does ${shop} open?|When does ${shop} close?|What time does ${shop} open?|What does ${shop} sell?|` +
    `Where is ${shop}?|Who owns ${shop}?|Which day is ${shop} closed?|Tell me about ${shop}.|` +
    `How much is a ${thing} at ${shop}?|I need a ${thing}. How much is it at ${shop}?|Who works at ${shop}?`;
  return ask(random, 'unknown', shop, wordings, 'Sorry, I do not know that shop.', 'unknown');
}
