// Longer answers and plain running text about the same small world.

import { capitalize, withArticle } from './questions/question.mjs';
import { animals, colouredThings, foods, seasons } from './world.mjs';

/** All facts about an animal, always in the same order. */
function describeAnimal({ name, kind, legs, home, food, sound }) {
  const facts = [`has ${legs} legs`, `lives ${home}`, `eats ${food}`];
  if (kind !== '-') facts.unshift(`is ${withArticle(kind)}`);
  if (sound !== '-') facts.push(`says ${sound}`);
  const [first, ...others] = facts;
  const one = capitalize(withArticle(name));
  return [`${one} ${first}.`, ...others.map((fact) => `It ${fact}.`)].join(' ');
}

/** A very short story. */
function animalStory({ name, home, food }) {
  return (
    `Once there was ${withArticle(name)}. It lived ${home}. One day it was hungry and looked for ${food}. ` +
    `It found some and was happy.`
  );
}

/** A question that asks for more than a sentence: { key, question, answer }. */
export function longQuestion(random) {
  const animal = random.pick(animals);
  const one = withArticle(animal.name);
  const [kind, wordings, answer] = random.pick([
    ['about', `Tell me about ${one}.|What do you know about ${one}?`, describeAnimal(animal)],
    [
      'story',
      `Tell me a story about ${one}.|Tell me a short story about ${one}.`,
      animalStory(animal),
    ],
  ]);
  const list = wordings.split('|');
  const index = random.integer(0, list.length - 1);
  return { key: `${kind}:${animal.name}:${index}`, question: list[index], answer };
}

/** A paragraph of plain text. */
export function paragraph(random) {
  const draw = random.pick([
    () => animalStory(random.pick(animals)),
    () => describeAnimal(random.pick(animals)),
    () => {
      const { name, colour } = random.pick(colouredThings);
      return `${capitalize(name)} is ${colour}.`;
    },
    () => {
      const { name, taste } = random.pick(foods);
      return `${capitalize(name)} tastes ${taste}.`;
    },
    () => {
      const { name, weather, event } = random.pick(seasons);
      return `In ${name} it is ${weather}, and ${event}.`;
    },
  ]);
  return `${draw()} ${draw()}`;
}
