const NOT_MEASURED = 'n/a';

const TRAINERS = { base: 'base', llamatune: 'LoRA by llamatune', peft: 'LoRA by PEFT' };

const nameOf = ({ trainer, weights }) => `${TRAINERS[trainer]}, ${weights}`;

const percent = (value) => (100 * value).toFixed(1);

const FORMATS = {
  accuracy: { title: 'accuracy, %', text: percent },
  cosine: { title: 'cosine', text: (value) => value.toFixed(3) },
  jaccard: { title: 'Jaccard', text: (value) => value.toFixed(3) },
  loss: { title: 'validation loss', text: (value) => value.toFixed(3) },
};

function cell(measure, { text }) {
  if (!measure) return NOT_MEASURED;
  const [low, high] = measure.interval;
  return `${text(measure.value)} (${text(low)} to ${text(high)})`;
}

const row = (cells) => `| ${cells.join(' | ')} |`;

function table(head, rows) {
  return [row(head), row(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(row)].join(
    '\n',
  );
}

function median(values, text) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length === 0 ? NOT_MEASURED : text(sorted[sorted.length >> 1]);
}
const seconds = (values) => median(values, (value) => value.toFixed(0));
const gigabytes = (values) => median(values, (value) => (value / 1e9).toFixed(2));

function valueTable(columns, wanted) {
  const formats = Object.entries(FORMATS);
  return table(
    ['', 'seeds', ...formats.map(([, { title }]) => title), 'time, s', 'memory, GB'],
    columns.map(({ measures, seeds, trainer, trainingSeconds, peakMemoryBytes, ...column }) => [
      nameOf({ trainer, ...column }),
      trainer === 'base' ? '–' : `${seeds.length}${seeds.length < wanted ? ` of ${wanted}` : ''}`,
      ...formats.map(([name, format]) => cell(measures?.[name], format)),
      ...(trainer === 'base' ? ['–', '–'] : [seconds(trainingSeconds), gigabytes(peakMemoryBytes)]),
    ]),
  );
}

const signed = (text, value) => `${value < 0 ? '−' : '+'}${text(Math.abs(value))}`;

function comparisonTable(comparisons) {
  const formats = Object.entries(FORMATS);
  return table(
    ['difference', ...formats.map(([, { title }]) => title)],
    comparisons.map(({ a, b, measures }) => [
      `${nameOf(a)} − ${nameOf(b)}`,
      ...formats.map(([name, { text }]) => {
        const found = measures[name];
        if (!found) return NOT_MEASURED;
        const [low, high] = found.interval;
        const p = found.p < 0.001 ? '< 0.001' : `= ${found.p.toFixed(3)}`;
        return `${signed(text, found.difference)} (${signed(text, low)} to ${signed(text, high)}), p ${p}`;
      }),
    ]),
  );
}

/** The tables of all models as Markdown. */
export function markdown({ date, settings, seeds, models }) {
  const incomplete = models.some(({ columns }) => columns.some(({ complete }) => !complete));
  const { epochs, batchSize, rank, alpha, learningRate } = settings;
  return `${[
    `# Quality, ${date}`,
    ...(incomplete
      ? ['**Incomplete**: some runs had not ended; their cells are n/a or have fewer seeds.']
      : []),
    `${epochs} epoch${epochs === 1 ? '' : 's'}, batches of ${batchSize} rows, rank ${rank}, alpha ${alpha}, learning rate ${learningRate} (cosine), seeds ${seeds.join(', ')}. ` +
      'Values are means over the seeds, with 95 % bootstrap intervals over the rows; p of paired randomization tests over rows.',
    ...models.flatMap(({ title, columns, comparisons }) => [
      `## ${title}`,
      '### Values',
      valueTable(columns, seeds.length),
      ...(comparisons.length === 0 ? [] : ['### Differences', comparisonTable(comparisons)]),
    ]),
  ].join('\n\n')}\n`;
}
