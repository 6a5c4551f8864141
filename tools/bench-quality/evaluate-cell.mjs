/**
 * Evaluates one system in this process and prints the values of each row as JSON:
 *
 *     node tools/bench-quality/evaluate-cell.mjs '{ "cell": …, "settings": …, "data": …, "base": …, "adapter": …, "samples": … }'
 *
 * Answers, labels and Jaccard come from evaluate(), the loss from score(), and the cosine from embed().
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { embed, evaluate, score } from '../../dist/index.js';
import { readQuestions, trainingRow } from './rows.mjs';
import { LABELS, MODELS } from './settings.mjs';

const {
  cell,
  settings,
  data,
  base,
  adapter,
  embedder,
  samples: folder,
} = JSON.parse(process.argv[2]);
const { chat } = MODELS[cell.model];
const questions = readQuestions(data, 'validation');
const dataset = questions.map((row) => ({ ...trainingRow(row, chat), label: row.label }));
const model = { model: base, adapters: adapter ? [adapter] : [] };
const { threads } = settings;

const started = performance.now();
const { systems } = await evaluate({
  dataset,
  systems: [{ name: 'system', ...model }],
  tasks: [{ type: 'classification', labels: LABELS }, 'jaccard'],
  output: folder,
  maxTokens: settings.maxTokens,
  // A base model without a chat template goes from one question to the next.
  stop: chat ? [] : ['\nQ:'],
  threads,
}).result;
const answers = readFileSync(path.join(folder, systems[0].samples), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line));

const scored = await score({ ...model, dataset, threads }).result;

/** The cosine of each answer and its reference; 0 for an empty answer, null without an embedding model. */
async function cosines() {
  if (!embedder) return answers.map(() => null);
  const filled = answers.filter(({ output }) => output.trim() !== '');
  const texts = filled.flatMap(({ output, reference }) => [output, reference]);
  const { embeddings } = await embed({ model: embedder, texts, threads }).result;
  const byIndex = new Map(
    filled.map(({ index }, i) => {
      const [a, b] = [embeddings[2 * i], embeddings[2 * i + 1]];
      return [index, a.reduce((sum, value, j) => sum + value * b[j], 0)];
    }),
  );
  return answers.map(({ index }) => byIndex.get(index) ?? 0);
}

const cosine = await cosines();
console.log(
  JSON.stringify({
    rows: answers.map(({ index, scores, labels, output, finishReason }, i) => ({
      index,
      expected: questions[index].label,
      label: labels.classification,
      correct: scores.classification,
      jaccard: scores.jaccard,
      cosine: cosine[i],
      loss: -scored.sequences[index].logProbability,
      targets: scored.sequences[index].targets,
      finishReason,
      output,
    })),
    seconds: (performance.now() - started) / 1000,
  }),
);
