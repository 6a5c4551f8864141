// Renders docs/architectures.json as docs/architectures.md.

/** Splits the name of a generated model: the architecture, and "-moe" for its mixture-of-experts variant. */
export function nameAndKind(name, names) {
  const moe = name.endsWith('-moe') && !names.includes(`${name}-moe`);
  return moe ? [name.slice(0, -'-moe'.length), 'experts'] : [name, 'dense'];
}

const works = (row) => row.logits && row.learns && row.adapter && row.gradients;
const mark = (good) => (good ? 'yes' : '**no**');
const kinds = (names) => names.map((name) => name.replace(/\.weight$/, '')).join(', ') || '–';

function line(row, names) {
  const [architecture, kind] = nameAndKind(row.name, names);
  const notes = [
    row.selected.length > 0 && `selection only: ${kinds(row.selected)}`,
    row.unread.length > 0 && `adapter not applied: ${kinds(row.unread)}`,
    row.problem,
  ].filter(Boolean);
  const gradients = [
    mark(row.gradients),
    row.faint.length > 0 && `faint: ${kinds(row.faint)}`,
  ].filter(Boolean);
  const cells = [
    `\`${architecture}\``,
    kind,
    mark(row.logits),
    gradients.join('; '),
    mark(row.learns),
    mark(row.adapter),
    'any',
    row.packed ? 'yes' : 'no',
    kinds(row.trained),
    notes.join('; '),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** @param {object[]} rows of docs/architectures.json */
export function renderArchitectures(rows) {
  const names = rows.map((row) => row.name);
  const good = rows.filter(works).length;
  const packed = rows.filter((row) => row.packed).length;
  return `# Architectures

Written by \`npm run architectures\`; do not edit. ${good} of ${rows.length} models train: tiny models with random weights, one
or two for each architecture of llama.cpp's generator. A test repeats the survey and fails if a row gets worse. Training
depends only on the ops in the graph of a model, so a new architecture in llama.cpp also trains, unless it uses an op
without a gradient rule. \`llamatune inspect model.gguf\` shows whether a model can be trained.

- **logits**: the training graph gives the logits of \`llama_decode\`, with one sequence and with three (normalised squared
  error below 10⁻⁹).
- **gradients**: the gradient of every LoRA pair is within 0.05 % of the slope of the loss, measured with central differences,
  in the worst of three batches; with fused ops and with ops composed from primitives. For the measurement, ReLU, clamps and
  top-k selections stay on the branch that they take at the measured point, because differences across a corner do not converge.
  *faint*: the gradient of these weights is so small, or the loss so steep, that rounding limits the accuracy of the
  measurement to between 0.05 % and 5 %.
- **learns**: ten steps on one batch lower the loss. **adapter**: stock llama.cpp loads the written adapter and gives the
  trained logits.
- **sequences**: the number of rows in a micro-batch. **packing**: several samples in one row. Recurrent state would leak
  from one sample to the next, so recurrent models are refused with \`PACKING_UNSUPPORTED\` (${packed} of ${rows.length} can pack).
- **LoRA targets**: the kinds of weights that were trained and checked.
- **no LoRA on**: *selection only*: the weight only selects keys or experts, which has no gradient. *adapter not applied*:
  llama.cpp does not apply adapters to this matrix, or does not use it for text, so an adapter would have no effect.

| architecture | | logits | gradients | learns | adapter | sequences | packing | LoRA targets | no LoRA on |
|---|---|---|---|---|---|---|---|---|---|
${rows.map((row) => line(row, names)).join('\n')}
`;
}
