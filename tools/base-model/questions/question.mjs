// Building blocks for the questions of all topics.

/**
 * @typedef {object} Question
 * @property {string} topic
 * @property {string} key names the fact and the wording; it decides what is held out for validation
 * @property {string} question
 * @property {string} answer the whole sentence
 * @property {string} word the shortest right answer
 */

export const capitalize = (text) => text[0].toUpperCase() + text.slice(1);

export const withArticle = (noun) => `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;

/**
 * One of several wordings, which are separated by '|'.
 * @returns {Question}
 */
export function ask(random, topic, fact, wordings, answer, word) {
  const list = wordings.split('|');
  const index = random.integer(0, list.length - 1);
  return { topic, key: `${topic}:${fact}:${index}`, question: list[index], answer, word };
}

/** A question whose answer starts with Yes or No and continues with the fact. */
export function askWhether(random, topic, fact, wordings, isSo, truth) {
  const word = isSo ? 'yes' : 'no';
  return ask(random, topic, fact, wordings, `${capitalize(word)}, ${truth}.`, word);
}
