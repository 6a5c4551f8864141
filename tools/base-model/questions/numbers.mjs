// Small numbers and the calendar.

import { days, months, seasons } from '../world.mjs';
import { ask } from './question.mjs';

const digits = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

export function numberQuestion(random) {
  const about = (fact, wordings, result) =>
    ask(random, 'number', fact, wordings, `It is ${result}.`, String(result));
  const calculate = (a, b, name, result, extra) => {
    const wordings = `What is ${a} ${name} ${b}?|How much is ${a} ${name} ${b}?|${extra}`;
    return about(`${a} ${name} ${b}`, wordings, result);
  };
  const sum = () => {
    const a = random.integer(0, 10);
    const b = random.integer(0, 10 - a);
    return calculate(a, b, 'plus', a + b, `Add ${a} and ${b}.|What is ${a} + ${b}?`);
  };
  const difference = () => {
    const a = random.integer(0, 10);
    const b = random.integer(0, a);
    return calculate(a, b, 'minus', a - b, `Take ${b} from ${a}.|What is ${a} - ${b}?`);
  };
  const product = () => {
    const [a, b] = [random.integer(1, 4), random.integer(1, 3)];
    return calculate(a, b, 'times', a * b, `Multiply ${a} by ${b}.`);
  };
  const neighbour = () => {
    const n = random.integer(1, 19);
    const [order, result] = random.chance(0.5) ? ['after', n + 1] : ['before', n - 1];
    const wordings = `Which number comes ${order} ${n}?|What comes ${order} ${n}?`;
    return about(`${order} ${n}`, wordings, result);
  };
  const comparison = () => {
    const [a, b] = random.sample(digits, 2);
    const [word, other, result] = random.chance(0.5)
      ? ['larger', 'bigger', Math.max(a, b)]
      : ['smaller', 'smaller', Math.min(a, b)];
    const wordings = `Which is ${word}, ${a} or ${b}?|Which number is ${other}: ${a} or ${b}?`;
    return about(`${word} ${a} ${b}`, wordings, result);
  };
  return random.weighted([
    [5, sum],
    [3, difference],
    [2, product],
    [2, neighbour],
    [2, comparison],
  ])();
}

export function timeQuestion(random) {
  const about = (fact, wordings, answer, word) => ask(random, 'time', fact, wordings, answer, word);
  const step = (list, what) => {
    const i = random.integer(0, list.length - 1);
    const [order, shift] = random.chance(0.5) ? ['after', 1] : ['before', list.length - 1];
    const result = list[(i + shift) % list.length];
    const wordings = `Which ${what} comes ${order} ${list[i]}?|What ${what} is ${order} ${list[i]}?`;
    return about(`${what} ${order} ${list[i]}`, wordings, `It is ${result}.`, result);
  };
  const weather = () => {
    const { name, weather: is } = random.pick(seasons);
    const wordings = `How is the weather in ${name}?|Is it warm or cold in ${name}?`;
    return about(`weather ${name}`, wordings, `It is ${is}.`, is);
  };
  const event = () => {
    const { name, event: what } = random.pick(seasons);
    const wordings = `What happens in ${name}?|What do we see in ${name}?`;
    return about(`event ${name}`, wordings, `In ${name} ${what}.`, what);
  };
  const length = () => {
    const [part, whole, count] = random.pick([
      ['days', 'week', 'seven'],
      ['months', 'year', 'twelve'],
      ['seasons', 'year', 'four'],
    ]);
    const wordings = `How many ${part} are in a ${whole}?|How many ${part} does a ${whole} have?`;
    return about(`${part} of ${whole}`, wordings, `It has ${count} ${part}.`, count);
  };
  const seasonNames = seasons.map((season) => season.name);
  return random.weighted([
    [3, () => step(days, 'day')],
    [4, () => step(months, 'month')],
    [1, () => step(seasonNames, 'season')],
    [1, weather],
    [1, event],
    [1, length],
  ])();
}
