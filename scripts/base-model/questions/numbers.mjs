// Small numbers, the calendar and lists to sort.

import { days, listWords, months, numberName, seasons } from '../world.mjs';
import { ask, capitalize } from './question.mjs';

const numbers = Array.from({ length: 21 }, (_, n) => n);

export function numberQuestion(random) {
  const inWords = random.chance(0.25);
  const say = (n) => (inWords ? numberName(n) : String(n));
  const about = (fact, wordings, answer, result) => {
    const key = inWords ? `${fact} words` : fact;
    return ask(random, 'number', key, wordings, `${capitalize(answer)}.`, say(result));
  };
  const calculate = (a, b, name, result, extra) => {
    const [x, y] = [say(a), say(b)];
    const wordings = `What is ${x} ${name} ${y}?|How much is ${x} ${name} ${y}?${extra(x, y)}`;
    return about(`${a} ${name} ${b}`, wordings, `${x} ${name} ${y} is ${say(result)}`, result);
  };
  const neighbour = (n, order, result) => {
    const wordings = `Which number comes ${order} ${say(n)}?|What comes ${order} ${say(n)}?`;
    return about(`${order} ${n}`, wordings, `${say(result)} comes ${order} ${say(n)}`, result);
  };
  const sum = () => {
    const [a, b] = [random.integer(0, 10), random.integer(0, 10)];
    return calculate(
      a,
      b,
      'plus',
      a + b,
      (x, y) => `|Add ${x} and ${y}.|What do ${x} and ${y} make?`,
    );
  };
  const difference = () => {
    const a = random.integer(0, 10);
    const b = random.integer(0, a);
    return calculate(a, b, 'minus', a - b, (x, y) => `|Take ${y} from ${x}.`);
  };
  const product = () => {
    const [a, b] = [random.integer(1, 5), random.integer(1, 4)];
    return calculate(a, b, 'times', a * b, () => '');
  };
  const after = () => {
    const n = random.integer(0, 19);
    return neighbour(n, 'after', n + 1);
  };
  const before = () => {
    const n = random.integer(1, 20);
    return neighbour(n, 'before', n - 1);
  };
  const comparison = () => {
    const [a, b] = random.sample(numbers, 2);
    const [word, other, result] = random.chance(0.5)
      ? ['larger', 'bigger', Math.max(a, b)]
      : ['smaller', 'smaller', Math.min(a, b)];
    const wordings = `Which is ${word}, ${say(a)} or ${say(b)}?|Which number is ${other}: ${say(a)} or ${say(b)}?`;
    return about(`${word} ${a} ${b}`, wordings, `${say(result)} is ${word}`, result);
  };
  return random.weighted([
    [5, sum],
    [3, difference],
    [2, product],
    [2, after],
    [2, before],
    [3, comparison],
  ])();
}

export function timeQuestion(random) {
  const about = (fact, wordings, answer, word) => ask(random, 'time', fact, wordings, answer, word);
  const step = (list, what) => {
    const i = random.integer(0, list.length - 1);
    const [order, shift] = random.chance(0.5) ? ['after', 1] : ['before', list.length - 1];
    const result = list[(i + shift) % list.length];
    const wordings = `Which ${what} comes ${order} ${list[i]}?|What ${what} is ${order} ${list[i]}?`;
    const answer = `${capitalize(result)} comes ${order} ${list[i]}.`;
    return about(`${what} ${order} ${list[i]}`, wordings, answer, result);
  };
  const weather = () => {
    const { name, weather: is } = random.pick(seasons);
    const wordings = `How is the weather in ${name}?|Is it warm or cold in ${name}?`;
    return about(`weather ${name}`, wordings, `In ${name} it is ${is}.`, is);
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
    return about(`${part} of ${whole}`, wordings, `A ${whole} has ${count} ${part}.`, count);
  };
  const seasonNames = seasons.map((season) => season.name);
  return random.weighted([
    [3, () => step(days, 'day')],
    [3, () => step(months, 'month')],
    [1, () => step(seasonNames, 'season')],
    [1, weather],
    [1, event],
    [1, length],
  ])();
}

const joinList = (list) => `${list.slice(0, -1).join(', ')} and ${list[list.length - 1]}`;

export function listQuestion(random) {
  const count = random.integer(2, 4);
  const ofNumbers = random.chance(0.5);
  const list = random.sample(ofNumbers ? numbers.slice(1, 10) : listWords, count);
  const sorted = [...list].sort(ofNumbers ? (a, b) => a - b : undefined);
  const joined = joinList(list);
  const wordings = ofNumbers
    ? `Sort ${joined}.|Put ${joined} in order.`
    : `Sort these words: ${joined}.|Put the words ${joined} in order.`;
  const answer = `In order: ${joinList(sorted)}.`;
  return ask(random, 'list', list.join(' '), wordings, answer, sorted.join(', '));
}
