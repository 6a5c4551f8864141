// All topics, and how often each is asked about.

import { chatQuestion, readingQuestion, unknownQuestion } from './chat.mjs';
import { animalQuestion, colourQuestion, foodQuestion } from './nature.mjs';
import { listQuestion, numberQuestion, timeQuestion } from './numbers.mjs';
import { placeQuestion, wordQuestion, workQuestion } from './words.mjs';

/** Share of the questions and who draws them. */
export const topics = [
  [16, animalQuestion],
  [11, colourQuestion],
  [7, foodQuestion],
  [17, numberQuestion],
  [13, wordQuestion],
  [8, timeQuestion],
  [5, placeQuestion],
  [8, workQuestion],
  [7, listQuestion],
  [8, readingQuestion],
  [5, unknownQuestion],
  [7, chatQuestion],
];

/**
 * One question of any topic.
 * @param {import('../random.mjs').Random} random
 * @returns {import('./question.mjs').Question}
 */
export const drawQuestion = (random) => random.weighted(topics)(random);
