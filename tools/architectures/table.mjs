// docs/architectures.json as docs/architectures.md.

/** The generated models' names: llama.cpp's architecture, and "-moe" for its mixture of experts. */
export function nameAndKind(name, names) {
  const moe = name.endsWith('-moe') && !names.includes(`${name}-moe`);
  return moe ? [name.slice(0, -'-moe'.length), 'experts'] : [name, 'dense'];
}

const works = (row) => row.logits && row.learns && row.adapter && row.gradients > 0;
const mark = (good) => (good ? 'yes' : '**no**');
const kinds = (names) => names.map((name) => name.replace(/\.weight$/, '')).join(', ') || '–';

const percent = (fraction) => `${Number((100 * fraction).toPrecision(2))} %`;

function line(row, names) {
  const [architecture, kind] = nameAndKind(row.name, names);
  const left = [
    row.selected.length > 0 && `selects only: ${kinds(row.selected)}`,
    row.unread.length > 0 && `no pair is read: ${kinds(row.unread)}`,
    row.problem,
  ].filter(Boolean);
  const cells = [
    `\`${architecture}\``,
    kind,
    mark(row.logits),
    row.gradients > 0 ? `within ${percent(row.gradients)}` : '**no**',
    mark(row.learns),
    mark(row.adapter),
    'any',
    row.packed ? 'yes' : 'no',
    kinds(row.trained),
    left.join('; '),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** @param {object[]} rows of docs/architectures.json */
export function renderArchitectures(rows) {
  const names = rows.map((row) => row.name);
  const good = rows.filter(works).length;
  const packed = rows.filter((row) => row.packed).length;
  return `# Architectures

What \`npm run architectures\` found; do not edit. ${good} of ${rows.length} models train: tiny ones of random weights, one
or two for each architecture that llama.cpp's own generator knows. A test runs all of it again and fails when a row gets
worse. What an architecture needs is in its graph, so another one that llama.cpp learns trains as well, unless it brings
an operation without a gradient rule: \`llamatune inspect model.gguf\` tells.

- **logits**: those of the training graph equal \`llama_decode\`'s, with one sequence and with three (normalised squared
  error below 10⁻⁹).
- **gradients**: of every LoRA pair, the computed slope of the loss against central differences, in parts of the kind's
  gradient; with fused operations and, by comparison, composed from primitives. The band leaves room for other machines. Wider
  bands: ggml's GELU on the CPU is a table of 16-bit numbers, a staircase.
- **learns**: ten steps on one batch lower the loss. **adapter**: stock llama.cpp loads the file that training wrote, and
  gives the trained logits.
- **sequences**: how many rows a micro-batch may hold. **packing**: several samples in one row. Recurrent state would
  pass from one sample to the next: such models are refused with \`PACKING_UNSUPPORTED\` (${packed} of ${rows.length} can pack).
- **LoRA targets**: the kinds of weights that were trained and checked.
- **no LoRA on**: *selects only*: the layer decides which keys or experts take part, a choice without a gradient.
  *no pair is read*: llama.cpp's graph multiplies with this matrix without looking for an adapter's pair, or does not read it
  for text; an adapter on it would change nothing at inference either.

| architecture | | logits | gradients | learns | adapter | sequences | packing | LoRA targets | no LoRA on |
|---|---|---|---|---|---|---|---|---|---|
${rows.map((row) => line(row, names)).join('\n')}
`;
}
