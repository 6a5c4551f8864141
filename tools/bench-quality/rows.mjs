import { readFileSync } from 'node:fs';
import path from 'node:path';

/** The rows of a file of PubMedQA-like data: question, label and answer ('Yes. Rationale: …'). */
export function readQuestions(folder, name) {
  return readFileSync(path.join(folder, `${name}.jsonl`), 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const { question, label, text } = JSON.parse(line);
      const answer = text.slice(text.indexOf('\nA: ') + '\nA: '.length);
      return { question, label, answer };
    });
}

/** The prompt of a question: a conversation, or the beginning of a text. */
export const promptOf = ({ question }, chat) =>
  chat ? [{ role: 'user', content: question }] : `Q: ${question}\nA:`;

/** A row to train on. */
export function trainingRow(row, chat) {
  return chat
    ? { messages: [...promptOf(row, true), { role: 'assistant', content: row.answer }] }
    : { prompt: promptOf(row, false), completion: ` ${row.answer}` };
}
