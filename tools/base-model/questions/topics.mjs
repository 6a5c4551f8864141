// All topics and their frequencies.

import { chatQuestion, readingQuestion, repeatQuestion, unknownQuestion } from './chat.mjs';
import { animalQuestion, colourQuestion, foodQuestion } from './nature.mjs';
import { numberQuestion, timeQuestion } from './numbers.mjs';
import { placeQuestion, wordQuestion, workQuestion } from './words.mjs';

/** Relative frequency of each topic, and the function that draws a question. */
export const topics = [
  [20, animalQuestion],
  [12, colourQuestion],
  [8, foodQuestion],
  [22, numberQuestion],
  [14, wordQuestion],
  [8, timeQuestion],
  [5, placeQuestion],
  [8, workQuestion],
  [4, readingQuestion],
  [7, unknownQuestion],
  [7, repeatQuestion],
  [7, chatQuestion],
];

/**
 * One question of any topic.
 * @param {import('../random.mjs').Random} random
 * @returns {import('./question.mjs').Question}
 */
export const drawQuestion = (random) => random.weighted(topics)(random);
