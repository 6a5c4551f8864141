/**
 * Evaluates one system in this process and prints the values of each row as JSON:
 *
 *     node tools/bench-quality/evaluate-cell.mjs '{ "cell": …, "settings": …, "data": …, "base": …, "adapter": …, "samples": … }'
 *
 * The loss of each row comes from score(), all else from evaluate().
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { evaluate, score } from '../../dist/index.js';
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
  tasks: [
    { type: 'classification', labels: LABELS },
    'jaccard',
    ...(embedder ? [{ type: 'cosine', model: embedder }] : []),
  ],
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

console.log(
  JSON.stringify({
    rows: answers.map(({ index, scores, labels, output, finishReason }) => ({
      index,
      expected: questions[index].label,
      label: labels.classification,
      correct: scores.classification,
      jaccard: scores.jaccard,
      cosine: scores.cosine ?? null,
      loss: -scored.sequences[index].logProbability,
      targets: scored.sequences[index].targets,
      finishReason,
      output,
    })),
    seconds: (performance.now() - started) / 1000,
  }),
);
