// Words, cities, people's work and tools.

import { capitals, jobs, opposites, pasts, plurals, tools } from '../world.mjs';
import { ask, withArticle } from './question.mjs';

export function wordQuestion(random) {
  const opposite = () => {
    const { first, second } = random.pick(opposites);
    const [a, b] = random.shuffle([first, second]);
    const wordings =
      `What is the opposite of ${a}?|Tell me the opposite of ${a}.|` +
      `Which word means the opposite of ${a}?|What is the contrary of ${a}?`;
    return ask(random, 'opposite', a, wordings, `The opposite is ${b}.`, b);
  };
  const plural = () => {
    const { one, many } = random.pick(plurals);
    const wordings = `What is the plural of ${one}?|Tell me the plural of ${one}.|One ${one}, two what?`;
    return ask(random, 'plural', one, wordings, `The plural is ${many}.`, many);
  };
  const past = () => {
    const { now, then } = random.pick(pasts);
    const wordings = `What is the past of ${now}?|Tell me the past of ${now}.`;
    return ask(random, 'past', now, wordings, `The past is ${then}.`, then);
  };
  return random.weighted([
    [4, opposite],
    [3, plural],
    [2, past],
  ])();
}

export function placeQuestion(random) {
  const { country, capital } = random.pick(capitals);
  const wordings = `What is the capital of ${country}?|Which city is the capital of ${country}?|Name the capital of ${country}.`;
  return ask(random, 'capital', country, wordings, `The capital is ${capital}.`, capital);
}

export function workQuestion(random) {
  const work = () => {
    const { name, work: does } = random.pick(jobs);
    const one = withArticle(name);
    const wordings = `What does ${one} do?|What is the work of ${one}?|Tell me what ${one} does.`;
    return ask(random, 'job', `work ${name}`, wordings, `This person ${does}.`, does);
  };
  const who = () => {
    const { name, work: does } = random.pick(jobs);
    const wordings = `Who ${does}?|Which person ${does}?`;
    return ask(random, 'job', `who ${name}`, wordings, `That is ${withArticle(name)}.`, name);
  };
  const place = () => {
    const { name, place: where } = random.pick(jobs);
    const one = withArticle(name);
    const wordings = `Where does ${one} work?|Where can I meet ${one}?`;
    return ask(random, 'job', `place ${name}`, wordings, `This person works ${where}.`, where);
  };
  const use = () => {
    const { name, use: what } = random.pick(tools);
    const wordings = `What is ${name} for?|What do you do with ${name}?`;
    return ask(random, 'tool', `use ${name}`, wordings, `You use it to ${what}.`, what);
  };
  const need = () => {
    const { name, use: what } = random.pick(tools);
    const wordings = `What do I need to ${what}?|With what do you ${what}?`;
    return ask(random, 'tool', `need ${what}`, wordings, `You need ${name}.`, name);
  };
  return random.weighted([
    [2, work],
    [1, who],
    [2, place],
    [2, use],
    [1, need],
  ])();
}
