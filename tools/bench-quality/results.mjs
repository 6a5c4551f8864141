import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describeMachine } from '../bench-training/machine.mjs';
import { baseCells } from './evaluate.mjs';
import { markdown } from './report.mjs';
import { COLUMNS, cellName, MODELS } from './settings.mjs';
import { compared, measured } from './statistics.mjs';

const read = (file) => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined);

/** The column of a table: its cells by seed, as far as they are finished. */
function columnOf(column, seeds, output) {
  const found = seeds.flatMap((seed) => {
    const cell = seed === undefined ? column : { ...column, seed };
    const evaluation = read(path.join(output, 'evaluations', `${cellName(cell)}.json`));
    const training = read(path.join(output, 'cells', `${cellName(cell)}.json`));
    return evaluation === undefined ? [] : [{ seed, evaluation, training }];
  });
  return { ...column, found, complete: found.length === seeds.length };
}

/** What a column measured: values with intervals, and how it was trained. */
function summaryOf({ found, ...column }) {
  const trainings = found.flatMap(({ training }) => training ?? []);
  return {
    ...column,
    seeds: found.flatMap(({ seed }) => seed ?? []),
    measures: measured(found.map(({ evaluation }) => evaluation.rows)),
    bySeed: found.map(({ seed, evaluation, training }) => ({
      seed,
      measures: measured([evaluation.rows]),
      finalTrainingLoss: training?.losses.at(-1),
      validationLossOfTrainer: training?.validationLoss,
    })),
    peakMemoryBytes: trainings.map(({ peakMemoryBytes }) => peakMemoryBytes),
    trainingSeconds: trainings.map(({ trainingSeconds }) => trainingSeconds),
    versions: trainings.find(({ versions }) => versions)?.versions,
  };
}

/** Compares each trained column with the last one, PEFT, and with its base, on the seeds that both have. */
function comparisonsOf(columns) {
  const trained = columns.filter(({ trainer, found }) => trainer !== 'base' && found.length > 0);
  const peft = trained.find(({ trainer }) => trainer === 'peft');
  const pairs = trained.flatMap((column) => [
    ...(peft === undefined || column === peft ? [] : [[column, peft]]),
    [
      column,
      columns.find(({ trainer, weights }) => trainer === 'base' && weights === column.weights),
    ],
  ]);
  return pairs.flatMap(([a, b]) => {
    const common = a.found.filter(
      ({ seed }) => b.trainer === 'base' || b.found.some((other) => other.seed === seed),
    );
    if (common.length === 0 || b.found.length === 0) return [];
    const rowsOf = (column) =>
      (column.trainer === 'base'
        ? column.found
        : column.found.filter(({ seed }) => common.some((each) => each.seed === seed))
      ).map(({ evaluation }) => evaluation.rows);
    const named = ({ trainer, weights }) => ({ trainer, weights });
    return [{ a: named(a), b: named(b), measures: compared(rowsOf(a), rowsOf(b)) }];
  });
}

/** Writes results.json and summary.md from the cells that are finished. */
export function writeResults({ output, files, seeds, settings }) {
  const models = Object.keys(files).map((model) => {
    const columns = [
      ...baseCells([model]).map((cell) => columnOf(cell, [undefined], output)),
      ...COLUMNS.map((column) => columnOf({ model, ...column }, seeds, output)),
    ];
    return {
      model,
      title: MODELS[model].title,
      columns: columns.map(summaryOf),
      comparisons: comparisonsOf(columns),
    };
  });
  const date = new Date().toISOString().slice(0, 10);
  const results = { date, machine: describeMachine(), settings, seeds, models };
  writeFileSync(path.join(output, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(path.join(output, 'summary.md'), markdown(results));
}
