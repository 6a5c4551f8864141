// Longer answers and plain running text about the same small world.

import {
  animals,
  colouredThings,
  foods,
  jobs,
  names,
  possessions,
  rooms,
  seasons,
  sizes,
} from './world.mjs';

const capital = (text) => text[0].toUpperCase() + text.slice(1);
const article = (noun) => `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;

/** Everything that is known about an animal, always in the same order. */
export function describeAnimal(animal) {
  const one = capital(article(animal.name));
  const parts = [
    `${one} has ${animal.legs} legs.`,
    `It lives ${animal.home}.`,
    `It eats ${animal.food}.`,
  ];
  if (animal.kind !== '-') parts.unshift(`${one} is ${article(animal.kind)}.`);
  if (animal.kind !== '-') parts[1] = `It has ${animal.legs} legs.`;
  if (animal.sound !== '-') parts.push(`It says ${animal.sound}.`);
  return parts.join(' ');
}

/** A short story about an animal and a child. */
export function animalStory(random, animal) {
  const name = random.pick(names);
  const size = random.pick(sizes.slice(0, 3));
  const meal = animal.food;
  const room = random.pick(rooms);
  const opening = `Once there was ${article(size)} ${animal.name}. It lived ${animal.home}.`;
  const middle = random.pick([
    `One day it met ${name}. ${name} gave it ${meal}.`,
    `One day it went to the ${room}. There it met ${name}, and ${name} gave it ${meal}.`,
    `One day it was hungry and looked for ${meal}. ${name} helped, and they found some in the ${room}.`,
  ]);
  const end = random.pick([
    `The ${animal.name} was very happy.`,
    `Then they were friends.`,
    animal.sound === '-'
      ? 'In the evening they went home.'
      : `The ${animal.name} said ${animal.sound}.`,
  ]);
  return `${opening} ${middle} ${end}`;
}

/** A question that asks for more than a sentence: [key, question, answer]. */
export function longQuestion(random) {
  const animal = random.pick(animals);
  const one = article(animal.name);
  if (random.chance(0.5)) {
    const [i, question] = random.pick([
      [0, `Tell me about ${one}.`],
      [1, `Tell me about ${animal.plural}.`],
      [2, `What do you know about ${animal.plural}?`],
    ]);
    return { key: `about:${animal.name}:${i}`, question, answer: describeAnimal(animal) };
  }
  const [i, question] = random.pick([
    [0, `Tell me a story about ${one}.`],
    [1, `Tell me a short story about ${one}.`],
    [2, `Write a story about ${one}.`],
  ]);
  return { key: `story:${animal.name}:${i}`, question, answer: animalStory(random, animal) };
}

/** A paragraph of plain text. */
export function paragraph(random) {
  return random.pick([
    () => animalStory(random, random.pick(animals)),
    () => random.sample(animals, 2).map(describeAnimal).join(' '),
    () =>
      random
        .sample(colouredThings, 4)
        .map(({ name, colour }) => `${capital(name)} is ${colour}.`)
        .join(' '),
    () =>
      random
        .sample(foods, 3)
        .map(({ name, taste }) => `${capital(name)} tastes ${taste}.`)
        .join(' '),
    () =>
      random
        .sample(jobs, 3)
        .map(({ name, work }) => `${capital(article(name))} ${work}.`)
        .join(' '),
    () => {
      const [a, b] = random.sample(names, 2);
      const { name: season, weather, event } = random.pick(seasons);
      const thing = random.pick(possessions);
      return (
        `It was ${season}, and it was ${weather}. In ${season} ${event}. ${a} went to the ${random.pick(rooms)} ` +
        `with ${b}. ${a} had ${article(random.pick(sizes))} ${thing}. ${b} liked the ${thing} very much.`
      );
    },
  ])();
}
