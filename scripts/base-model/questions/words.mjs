// Words, cities, people's work and tools.

import { animals, capitals, jobs, listWords, opposites, pasts, plurals, tools } from '../world.mjs';
import { ask, capitalize, withArticle } from './question.mjs';

const spelled = [...listWords, ...animals.map((animal) => animal.name)];

export function wordQuestion(random) {
  const opposite = () => {
    const { first, second } = random.pick(opposites);
    const [a, b] = random.shuffle([first, second]);
    const wordings =
      `What is the opposite of ${a}?|Tell me the opposite of ${a}.|` +
      `Which word means the opposite of ${a}?|What is the contrary of ${a}?`;
    return ask(random, 'opposite', a, wordings, `The opposite of ${a} is ${b}.`, b);
  };
  const plural = () => {
    const { one, many } = random.pick(plurals);
    const wordings = `What is the plural of ${one}?|Tell me the plural of ${one}.|One ${one}, two what?`;
    return ask(random, 'plural', one, wordings, `The plural of ${one} is ${many}.`, many);
  };
  const past = () => {
    const { now, then } = random.pick(pasts);
    const wordings = `What is the past of ${now}?|Today I ${now}. What did I do yesterday?`;
    return ask(random, 'past', now, wordings, `The past of ${now} is ${then}.`, then);
  };
  const letter = () => {
    const word = random.pick(spelled);
    const first = word[0].toUpperCase();
    const wordings = `What is the first letter of ${word}?|Which letter does ${word} start with?`;
    const answer = `${capitalize(word)} starts with ${first}.`;
    return ask(random, 'letter', word, wordings, answer, first);
  };
  return random.weighted([
    [4, opposite],
    [3, plural],
    [2, past],
    [1, letter],
  ])();
}

export function placeQuestion(random) {
  const capital = () => {
    const { country, capital: city } = random.pick(capitals);
    const wordings = `What is the capital of ${country}?|Which city is the capital of ${country}?|Name the capital of ${country}.`;
    return ask(random, 'capital', country, wordings, `The capital of ${country} is ${city}.`, city);
  };
  const country = () => {
    const { country: where, capital: city } = random.pick(capitals);
    const wordings = `In which country is ${city}?|Where is ${city}?`;
    return ask(random, 'capital', `of ${city}`, wordings, `${city} is in ${where}.`, where);
  };
  return random.weighted([
    [4, capital],
    [1, country],
  ])();
}

export function workQuestion(random) {
  const work = () => {
    const { name, work: does } = random.pick(jobs);
    const one = withArticle(name);
    const wordings = `What does ${one} do?|What is the work of ${one}?|Tell me what ${one} does.`;
    return ask(random, 'job', `work ${name}`, wordings, `${capitalize(one)} ${does}.`, does);
  };
  const who = () => {
    const { name, work: does } = random.pick(jobs);
    const answer = `${capitalize(withArticle(name))} ${does}.`;
    return ask(random, 'job', `who ${name}`, `Who ${does}?|Which person ${does}?`, answer, name);
  };
  const place = () => {
    const { name, place: where } = random.pick(jobs);
    const one = withArticle(name);
    const wordings = `Where does ${one} work?|Where can I meet ${one}?`;
    const answer = `${capitalize(one)} works ${where}.`;
    return ask(random, 'job', `place ${name}`, wordings, answer, where);
  };
  const use = () => {
    const { name, use: what } = random.pick(tools);
    const wordings = `What is ${name} for?|What do you do with ${name}?`;
    return ask(random, 'tool', `use ${name}`, wordings, `You use ${name} to ${what}.`, what);
  };
  const need = () => {
    const { name, use: what } = random.pick(tools);
    const wordings = `What do I need to ${what}?|With what do you ${what}?`;
    return ask(random, 'tool', `need ${what}`, wordings, `You need ${name} to ${what}.`, name);
  };
  return random.weighted([
    [2, work],
    [1, who],
    [2, place],
    [2, use],
    [1, need],
  ])();
}
