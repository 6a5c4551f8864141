import { bootstrapInterval, pairedTest } from '../../dist/statistics.js';

const mean = (name) => (rows) => rows.reduce((sum, row) => sum + row[name], 0) / rows.length;

/** What is measured, as a statistic over rows. */
export const MEASURES = {
  accuracy: mean('accuracy'),
  cosine: mean('cosine'),
  jaccard: mean('jaccard'),
  loss: (rows) =>
    rows.reduce((sum, row) => sum + row.loss, 0) / rows.reduce((sum, row) => sum + row.targets, 0),
};

/** Measures of which a lower value is better. */
export const LOWER_IS_BETTER = ['loss'];

const SEED = 1;

/**
 * One value per row of the dataset: the mean over the seeds. So an interval over rows says how much other questions would
 * change the result, and does not count the seeds as more questions.
 */
export function rowsOverSeeds(evaluations) {
  return evaluations[0].map((row, i) => {
    const all = evaluations.map((rows) => rows[i]);
    if (all.some(({ index }) => index !== row.index)) throw new Error('the rows differ');
    const average = (name) => all.reduce((sum, each) => sum + each[name], 0) / all.length;
    return {
      accuracy: average('correct'),
      jaccard: average('jaccard'),
      cosine: all.some(({ cosine }) => cosine === null) ? null : average('cosine'),
      loss: average('loss'),
      targets: row.targets,
    };
  });
}

const usable = (rows, name) => !(name in rows[0]) || rows.every((row) => row[name] !== null);

/** Each measure with its 95 % bootstrap interval over rows; null where it was not measured. */
export function measured(evaluations) {
  if (evaluations.length === 0) return null;
  const rows = rowsOverSeeds(evaluations);
  return Object.fromEntries(
    Object.entries(MEASURES).map(([name, statistic]) => [
      name,
      usable(rows, name)
        ? { value: statistic(rows), interval: bootstrapInterval(rows, statistic, { seed: SEED }) }
        : null,
    ]),
  );
}

/** The difference a - b of each measure, with its interval and p of a paired test. */
export function compared(a, b) {
  const [left, right] = [rowsOverSeeds(a), rowsOverSeeds(b)];
  return Object.fromEntries(
    Object.entries(MEASURES).map(([name, statistic]) => {
      if (!usable(left, name) || !usable(right, name)) return [name, null];
      const { difference, interval, p } = pairedTest(left, right, { statistic, seed: SEED });
      return [name, { difference, interval, p }];
    }),
  );
}
