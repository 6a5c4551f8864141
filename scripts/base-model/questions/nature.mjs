// Animals, colours and food.

import { animals, colouredThings, colourMixes, colours, foods } from '../world.mjs';
import { ask, askWhether, capitalize, withArticle } from './question.mjs';

export function animalQuestion(random) {
  const { name, plural, legs, sound, home, food, kind, young, flies, swims } = random.pick(animals);
  const one = withArticle(name);
  const One = capitalize(one);
  const about = (fact, wordings, answer, word) =>
    ask(random, 'animal', `${fact} ${name}`, wordings, answer, word);
  const whether = (fact, wordings, isSo, truth) =>
    askWhether(random, 'animal', `${fact} ${name}`, wordings, isSo, truth);
  const ability = (verb, can) =>
    whether(
      verb,
      `Can ${one} ${verb}?|Do ${plural} ${verb}?`,
      can,
      `${one} ${can ? 'can' : 'cannot'} ${verb}`,
    );
  const choices = [
    () => {
      const wordings = `How many legs does ${one} have?|How many legs do ${plural} have?|Tell me how many legs ${one} has.`;
      return about('legs', wordings, `${One} has ${legs} legs.`, legs);
    },
    () => {
      const wordings = `Where does ${one} live?|Where do ${plural} live?|Where can I find ${one}?`;
      return about('home', wordings, `${One} lives ${home}.`, home);
    },
    () => {
      const wordings = `What does ${one} eat?|What do ${plural} eat?|What is the food of ${one}?`;
      return about('food', wordings, `${One} eats ${food}.`, food);
    },
    () => ability('fly', flies === 'yes'),
    () => ability('swim', swims === 'yes'),
  ];
  if (sound !== '-') {
    const wordings = `What sound does ${one} make?|What does ${one} say?|Which sound do ${plural} make?`;
    choices.push(() => about('sound', wordings, `${One} says ${sound}.`, sound));
  }
  if (kind !== '-') {
    const isKind = `${one} is ${withArticle(kind)}`;
    const other = random.pick(['mammal', 'bird', 'fish', 'insect']);
    const wordings = `What kind of animal is ${one}?|What is ${one}?|What are ${plural}?`;
    choices.push(() => about('kind', wordings, `${capitalize(isKind)}.`, kind));
    const question = `Is ${one} ${withArticle(other)}?`;
    choices.push(() => whether(`is ${other}`, question, other === kind, isKind));
  }
  if (young !== '-') {
    const wordings = `What is a young ${name} called?|What do you call a baby ${name}?`;
    const answer = `A young ${name} is called ${withArticle(young)}.`;
    choices.push(() => about('young', wordings, answer, young));
  }
  return random.pick(choices)();
}

export function colourQuestion(random) {
  if (random.chance(0.15)) {
    const { first, second, result } = random.pick(colourMixes);
    const [a, b] = random.shuffle([first, second]);
    const wordings = `What do you get when you mix ${a} and ${b}?|Which colour do ${a} and ${b} make?|Mix ${a} with ${b}.`;
    const answer = `${capitalize(a)} and ${b} make ${result}.`;
    return ask(random, 'colour', `mix ${a} ${b}`, wordings, answer, result);
  }
  const { name, colour } = random.pick(colouredThings);
  const truth = `${name} is ${colour}`;
  if (random.chance(0.3)) {
    const asked = random.chance(0.5) ? colour : random.pick(colours);
    const wordings = `Is ${name} ${asked}?|Is the colour of ${name} ${asked}?`;
    return askWhether(random, 'colour', `is ${asked} ${name}`, wordings, asked === colour, truth);
  }
  const wordings =
    `What colour is ${name}?|Which colour does ${name} have?|What is the colour of ${name}?|` +
    `Tell me the colour of ${name}.|What color is ${name}?`;
  return ask(random, 'colour', name, wordings, `${capitalize(truth)}.`, colour);
}

export function foodQuestion(random) {
  const { name, taste, kind } = random.pick(foods);
  if (kind !== '-' && random.chance(0.5)) {
    const isKind = `${name} is ${kind === 'meat' ? kind : withArticle(kind)}`;
    const other = random.pick(['fruit', 'vegetable', 'drink']);
    if (random.chance(0.5)) {
      const question = `Is ${name} ${withArticle(other)}?`;
      return askWhether(random, 'food', `is ${other} ${name}`, question, other === kind, isKind);
    }
    const wordings = `What kind of food is ${name}?|What is ${name}?`;
    return ask(random, 'food', `kind ${name}`, wordings, `${capitalize(isKind)}.`, kind);
  }
  const wordings = `How does ${name} taste?|What is the taste of ${name}?|What does ${name} taste like?`;
  const answer = `${capitalize(name)} tastes ${taste}.`;
  return ask(random, 'food', `taste ${name}`, wordings, answer, taste);
}
