import {
  type EvaluationResults,
  evaluationResultsSchema,
} from '../../../../src/evaluate/results.js';

const value = (mean: number | null, interval: [number, number] | null = null, rows = 33) => ({
  ...{ value: mean, interval, rows },
});
const system = (name: string, rest: Partial<EvaluationResults['systems'][number]>) => ({
  ...{ name, model: 'base.gguf', adapters: [], outputs: null, samples: `samples/${name}.jsonl` },
  ...{ answers: 33, missing: [], truncated: 0, generatedTokens: 1200, seconds: 4.2 },
  ...{ measures: {}, classifications: {} },
  ...rest,
});

export const results: EvaluationResults = evaluationResultsSchema.parse({
  ...{ format: 'llamatune-evaluation', version: 1 },
  ...{ startedAt: '2026-11-28T18:00:00.000Z', finishedAt: '2026-11-28T18:01:00.000Z' },
  ...{ files: ['validation.jsonl'], rows: 33, settings: { maxTokens: 64, stop: [] } },
  badRows: [{ index: 4, where: 'validation.jsonl:5', message: 'it has no <reference>' }],
  warnings: [{ code: 'ANSWERS_MISSING', message: "'peft' has no answer to 12 of 33 rows" }],
  tasks: [
    {
      ...{ name: 'classification', type: 'classification' },
      measures: ['classification.accuracy', 'classification.macroF1'],
    },
    { name: 'perplexity', type: 'perplexity', measures: ['perplexity'] },
  ],
  measures: [
    {
      ...{ name: 'classification.accuracy', title: 'accuracy' },
      ...{ isPercent: true, higherIsBetter: true },
    },
    {
      ...{ name: 'classification.macroF1', title: 'macro F1' },
      ...{ isPercent: false, higherIsBetter: true },
    },
    { name: 'perplexity', title: 'perplexity', isPercent: false, higherIsBetter: false },
  ],
  systems: [
    system('base', {
      truncated: 3,
      measures: {
        'classification.accuracy': value(0.3, [0.15, 0.45]),
        'classification.macroF1': value(0.28, [0.14, 0.44]),
        perplexity: value(151.62, [120.1, 190.4]),
      },
      classifications: {
        classification: {
          labels: ['yes', 'no'],
          confusion: [
            [5, 10, 2],
            [4, 9, 3],
          ],
          perLabel: [
            { label: 'yes', rows: 17, precision: 5 / 9, recall: 5 / 17, f1: 10 / 26 },
            { label: 'no', rows: 16, precision: null, recall: 9 / 16, f1: 18 / 35 },
          ],
          unparsed: 5,
        },
      },
    }),
    system('peft', {
      ...{ model: null, outputs: 'peft.jsonl', answers: 21, generatedTokens: null, seconds: null },
      missing: Array.from({ length: 12 }, (_, index) => ({ index, reason: 'not in the file' })),
      measures: {
        'classification.accuracy': value(1, null, 21),
        'classification.macroF1': value(1, null, 21),
        perplexity: value(null, null, 0),
      },
      classifications: {
        classification: {
          ...{ labels: ['yes', 'no'], unparsed: 0 },
          confusion: [
            [11, 0, 0],
            [0, 10, 0],
          ],
          perLabel: [
            { label: 'yes', rows: 11, precision: 1, recall: 1, f1: 1 },
            { label: 'no', rows: 10, precision: 1, recall: 1, f1: 1 },
          ],
        },
      },
    }),
  ],
  comparisons: [
    {
      ...{ measure: 'classification.accuracy', a: 'peft', b: 'base', rows: 21 },
      ...{ difference: 0.667, interval: [0.48, 0.86], p: 0.0001, adjustedP: 0.0002 },
      ...{ better: 'peft', sentence: 'peft is better beyond chance: …' },
    },
    {
      ...{ measure: 'classification.macroF1', a: 'peft', b: 'base', rows: 21 },
      ...{ difference: -0.01, interval: null, p: 0.25, adjustedP: 0.25 },
      ...{ better: null, sentence: 'peft and base do not differ beyond chance: …' },
    },
  ],
});
