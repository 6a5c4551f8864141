// Animals, colours and food.

import { animals, colouredThings, colourMixes, colours, foods } from '../world.mjs';
import { ask, askWhether, withArticle } from './question.mjs';

export function animalQuestion(random) {
  const { name, legs, sound, home, food, kind, young, flies, swims } = random.pick(animals);
  const one = withArticle(name);
  const about = (fact, wordings, answer, word) =>
    ask(random, 'animal', `${fact} ${name}`, wordings, answer, word);
  const ability = (verb, can) => {
    const wordings = `Can ${one} ${verb}?|Is ${one} able to ${verb}?`;
    const truth = `it ${can ? 'can' : 'cannot'} ${verb}`;
    return askWhether(random, 'animal', `${verb} ${name}`, wordings, can, truth);
  };
  const choices = [
    () => {
      const wordings = `How many legs does ${one} have?|How many legs has ${one}?|Tell me how many legs ${one} has.`;
      return about('legs', wordings, `It has ${legs} legs.`, legs);
    },
    () => {
      const wordings = `Where does ${one} live?|Where can I find ${one}?|What is the home of ${one}?`;
      return about('home', wordings, `It lives ${home}.`, home);
    },
    () => {
      const wordings = `What does ${one} eat?|What is the food of ${one}?|What can I feed to ${one}?`;
      return about('food', wordings, `It eats ${food}.`, food);
    },
    () => ability('fly', flies === 'yes'),
    () => ability('swim', swims === 'yes'),
  ];
  if (sound !== '-') {
    const wordings = `What sound does ${one} make?|What does ${one} say?|Which sound comes from ${one}?`;
    choices.push(() => about('sound', wordings, `It says ${sound}.`, sound));
  }
  if (kind !== '-') {
    const truth = `it is ${withArticle(kind)}`;
    const other = random.pick(['mammal', 'bird', 'fish', 'insect']);
    const wordings = `What kind of animal is ${one}?|What is ${one}?|Which kind of animal is ${one}?`;
    choices.push(() => about('kind', wordings, `It is ${withArticle(kind)}.`, kind));
    const question = `Is ${one} ${withArticle(other)}?`;
    choices.push(() =>
      askWhether(random, 'animal', `is ${other} ${name}`, question, other === kind, truth),
    );
  }
  if (young !== '-') {
    const wordings = `What is a young ${name} called?|What do you call a baby ${name}?`;
    choices.push(() => about('young', wordings, `It is called ${withArticle(young)}.`, young));
  }
  return random.pick(choices)();
}

export function colourQuestion(random) {
  if (random.chance(0.15)) {
    const { first, second, result } = random.pick(colourMixes);
    const [a, b] = random.shuffle([first, second]);
    const wordings = `What do you get when you mix ${a} and ${b}?|Which colour do ${a} and ${b} make?|Mix ${a} with ${b}.`;
    return ask(random, 'colour', `mix ${a} ${b}`, wordings, `You get ${result}.`, result);
  }
  const { name, colour } = random.pick(colouredThings);
  if (random.chance(0.25)) {
    const asked = random.chance(0.5) ? colour : random.pick(colours);
    const wordings = `Is ${name} ${asked}?|Is the colour of ${name} ${asked}?`;
    const isSo = asked === colour;
    return askWhether(random, 'colour', `is ${asked} ${name}`, wordings, isSo, `it is ${colour}`);
  }
  const wordings =
    `What colour is ${name}?|Which colour does ${name} have?|What is the colour of ${name}?|` +
    `Tell me the colour of ${name}.|What color is ${name}?`;
  return ask(random, 'colour', name, wordings, `It is ${colour}.`, colour);
}

export function foodQuestion(random) {
  const { name, taste, kind } = random.pick(foods);
  if (kind !== '-' && random.chance(0.5)) {
    const other = random.pick(['fruit', 'vegetable', 'drink']);
    if (random.chance(0.5)) {
      const question = `Is ${name} ${withArticle(other)}?`;
      const truth = `it is ${withArticle(kind)}`;
      return askWhether(random, 'food', `is ${other} ${name}`, question, other === kind, truth);
    }
    const wordings = `What kind of food is ${name}?|What is ${name}?`;
    return ask(random, 'food', `kind ${name}`, wordings, `It is ${withArticle(kind)}.`, kind);
  }
  const wordings = `How does ${name} taste?|What is the taste of ${name}?|What does ${name} taste like?`;
  return ask(random, 'food', `taste ${name}`, wordings, `It tastes ${taste}.`, taste);
}
