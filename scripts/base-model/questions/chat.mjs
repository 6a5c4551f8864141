// Small talk, questions whose answer stands in the question, and things that are not known.

import { colours, names, possessions, rooms } from '../world.mjs';
import { ask, withArticle } from './question.mjs';

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

/** The answer stands in the question: the model must look, not remember. */
export function readingQuestion(random) {
  const [a, b] = random.sample(names, 2);
  const isFirst = random.chance(0.5);
  const asked = isFirst ? a : b;
  const about = (fact, question, answer, word) =>
    ask(random, 'reading', `${fact} ${a} ${b} ${isFirst}`, question, answer, word);
  const possession = () => {
    const [x, y] = random.sample(possessions, 2);
    const thing = isFirst ? x : y;
    const text = `${a} has ${withArticle(x)} and ${b} has ${withArticle(y)}.`;
    return random.chance(0.5)
      ? about(`who ${x} ${y}`, `${text} Who has the ${thing}?`, `${asked} has it.`, asked)
      : about(`what ${x} ${y}`, `${text} What does ${asked} have?`, `A ${thing}.`, thing);
  };
  const room = () => {
    const [x, y] = random.sample(rooms, 2);
    const where = isFirst ? x : y;
    const text = `${a} is in the ${x} and ${b} is in the ${y}. Where is ${asked}?`;
    return about(`where ${x} ${y}`, text, `In the ${where}.`, where);
  };
  const colour = () => {
    const [thing, is] = [random.pick(possessions), random.pick(colours)];
    const text = `The ${thing} of ${a} is ${is}. What colour is the ${thing}?`;
    return about(`colour ${thing} ${is}`, text, `It is ${is}.`, is);
  };
  return random.pick([possession, room, colour])();
}

const syllables = 'ba do fi gru ka lo mi nu plo ri sto ta vu wi zor quil'.split(' ');
const shopColours = 'Red Green Golden Old Little Silver White Happy Black New'.split(' ');
const shopThings = 'Fox Bear Tree Star Moon Ship Rose Lion Bell Hat'.split(' ');

/** Things outside the small world: the model says that it does not know them. */
export function unknownQuestion(random) {
  if (random.chance(0.5)) {
    const count = random.integer(2, 3);
    const word = Array.from({ length: count }, () => random.pick(syllables)).join('');
    const wordings = `What is a ${word}?|Where does a ${word} live?|What colour is a ${word}?`;
    return ask(random, 'unknown', word, wordings, 'I do not know that word.', 'unknown');
  }
  const shop = `the ${random.pick(shopColours)} ${random.pick(shopThings)}`;
  const thing = random.pick(possessions);
  const wordings =
    `When does ${shop} open?|When does ${shop} close?|What time does ${shop} open?|What does ${shop} sell?|` +
    `Where is ${shop}?|Who owns ${shop}?|Which day is ${shop} closed?|Tell me about ${shop}.|` +
    `How much is a ${thing} at ${shop}?|I need a ${thing}. How much is it at ${shop}?|Who works at ${shop}?`;
  return ask(random, 'unknown', shop, wordings, 'Sorry, I do not know that shop.', 'unknown');
}
