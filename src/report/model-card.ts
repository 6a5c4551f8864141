import { basename, dirname, extname, join } from 'node:path';
import { LlamatuneError } from '../errors.js';
import type { ExpertSpan } from '../expert-history.js';
import { curveOfOutput, expertsOfOutput } from '../files/names.js';
import * as format from '../format.js';
import { renderExpertSpans } from './expert-use.js';
import { type LossCurveEvent, renderLossCurve } from './loss-curve.js';
import { ownerOf, readOwnFile, writeOwnFile } from './own-file.js';

/** What the cards of adapters and of merged models say. Paths are shortened to the names of files. */
interface Card {
  /** The GGUF file that the card describes. */
  output: string;
  /** Of the base model. */
  model: { path: string; name: string; architecture: string };
}

/** A training, for the card of an adapter or a fully trained model. */
export interface TrainingCard extends Card {
  kind: 'adapter' | 'model';
  /** Dataset files; empty for rows from memory. */
  datasets: readonly string[];
  samples: number;
  validationSamples: number;
  /** The configuration of the run with all defaults. */
  config: Readonly<Record<string, unknown>>;
  /** Name and value of each result. */
  results: readonly (readonly [name: string, value: string])[];
  /** Interventions of adaptive training, in words. */
  interventions: readonly string[];
  /** Steps and evaluations; empty for a run that had none. */
  history: readonly LossCurveEvent[];
  /** The experts that the steps used; empty if they were not counted. */
  experts: ExpertSpan[];
}

/** A picture of the training next to the card. */
interface Picture {
  path: string;
  /** What it is, in errors and in the card. */
  what: string;
  alt: string;
  text: string;
}

/** A model that an adapter was merged into. */
export interface MergeCard extends Card {
  kind: 'merged';
  adapter: string;
  /** As in the options of mergeAdapter(). */
  type: string;
}

/**
 * Writes README.md next to the output of a run, and the loss curve and the use of experts as pictures. A README.md of another
 * origin, or one that was edited, stays as it is: then there is no card. If the card of another output is there, the card is
 * named after the output.
 *
 * @returns the path of the card, or null
 * @throws LlamatuneError OUTPUT_NOT_WRITABLE
 */
export function writeModelCard(card: TrainingCard | MergeCard): string | null {
  const folder = dirname(card.output);
  const owner = basename(card.output);
  const free = (path: string) => {
    const found = ownerOf(path);
    return found === 'none' || (found !== 'foreign' && found.owner === owner);
  };
  const readme = join(folder, 'README.md');
  const state = ownerOf(readme);
  if (state === 'foreign') return null;
  const path = free(readme) ? readme : join(folder, `${stemOf(owner)}.md`);
  if (!free(path)) return null;
  const pictures = picturesOf(card).filter((picture) => free(picture.path));
  for (const picture of pictures) writeOwnFile(picture.path, picture.text, owner, picture.what);
  writeOwnFile(path, cardText(card, pictures), owner, 'model card');
  return path;
}

/**
 * Writes the model card of work that is complete: a card that cannot be written is a warning, since the output is saved.
 *
 * @returns the path of the card, or null, and the warning
 */
export function addModelCard(card: TrainingCard | MergeCard): {
  modelCard: string | null;
  warnings: { code: string; message: string }[];
} {
  try {
    return { modelCard: writeModelCard(card), warnings: [] };
  } catch (error) {
    if (!(error instanceof LlamatuneError)) throw error;
    const warning = { code: 'MODEL_CARD_NOT_WRITTEN', message: error.message };
    return { modelCard: null, warnings: [warning] };
  }
}

const PICTURES = [
  {
    what: 'loss curve',
    alt: 'Loss by optimizer step',
    pathOf: curveOfOutput,
    draw: ({ history }: TrainingCard) => (hasLoss(history) ? renderLossCurve(history) : null),
  },
  {
    what: 'use of experts',
    alt: 'Use of experts by optimizer step',
    pathOf: expertsOfOutput,
    draw: ({ experts }: TrainingCard) => (experts.length > 0 ? renderExpertSpans(experts) : null),
  },
];

/** The pictures of a training; those of a merged adapter are copied. */
const picturesOf = (card: TrainingCard | MergeCard): Picture[] =>
  PICTURES.flatMap(({ what, alt, pathOf, draw }) => {
    const text =
      card.kind === 'merged'
        ? readOwnFile(pathOf(card.adapter), basename(card.adapter))
        : draw(card);
    return text === null ? [] : [{ path: pathOf(card.output), what, alt, text }];
  });

/** Data, training and results in the card of an adapter; null if it has none. */
function trainingOf(adapter: string): string | null {
  const owner = basename(adapter);
  const folder = dirname(adapter);
  const card =
    readOwnFile(join(folder, 'README.md'), owner) ??
    readOwnFile(join(folder, `${stemOf(owner)}.md`), owner);
  return card === null ? null : (/^## Data\n[\s\S]*?(?=\n\n## Use\n)/m.exec(card)?.[0] ?? null);
}

const stemOf = (file: string): string => file.slice(0, file.length - extname(file).length);

const hasLoss = (history: readonly LossCurveEvent[]): boolean =>
  history.some((event) => event.type === 'step' && event.loss !== null);

/** The card as Markdown. */
export function cardText(
  card: TrainingCard | MergeCard,
  pictures: readonly Pick<Picture, 'path' | 'alt'>[],
): string {
  const name = stemOf(basename(card.output));
  const parts = [
    `---\ntags: [gguf, llamatune${card.kind === 'model' ? '' : ', lora'}]\n---`,
    `# ${name}`,
    introduction(card),
    ...(card.kind === 'merged' ? trainingOfMerged(card, pictures) : training(card, pictures)),
    usage(card),
  ];
  return `${parts.join('\n\n')}\n`;
}

function introduction(card: TrainingCard | MergeCard): string {
  const { name, architecture, path } = card.model;
  const base = `${name === '' ? basename(path) : name} (${architecture}, \`${basename(path)}\`)`;
  switch (card.kind) {
    case 'adapter':
      return `A LoRA adapter for ${base}, trained with llamatune. It needs this base model; any quantization of it will do.`;
    case 'model':
      return `${base}, all parameters trained with llamatune.`;
    case 'merged':
      return `${base} with the LoRA adapter \`${basename(card.adapter)}\` merged into its weights (type: ${card.type}), made with llamatune.`;
  }
}

function training(
  card: TrainingCard,
  pictures: readonly Pick<Picture, 'path' | 'alt'>[],
): string[] {
  const { datasets, samples, validationSamples, config, results, interventions } = card;
  const files = datasets.map((path) => `\`${basename(path)}\``).join(', ');
  const validation =
    validationSamples === 0 ? '' : `, and ${samplesText(validationSamples)} for validation`;
  return [
    '## Data',
    `${files === '' ? 'Rows from memory' : files}: ${samplesText(samples)}${validation}.`,
    '## Training',
    ...pictures.map(pictureLink),
    `\`\`\`json\n${JSON.stringify(withoutFolders(config), null, 2)}\n\`\`\``,
    '## Results',
    ['| | |', '|---|---:|', ...results.map(([name, value]) => `| ${name} | ${value} |`)].join('\n'),
    ...(interventions.length === 0
      ? []
      : [
          'Interventions of adaptive training:',
          interventions.map((line) => `- ${line}`).join('\n'),
        ]),
  ];
}

/** What the card of the adapter says about its training. */
function trainingOfMerged(
  { adapter }: MergeCard,
  pictures: readonly Pick<Picture, 'path' | 'alt'>[],
): string[] {
  const text = trainingOf(adapter);
  if (text === null) return [];
  const links = pictures.map((picture) => `${pictureLink(picture)}\n\n`).join('');
  const alts = PICTURES.map(({ alt }) => alt).join('|');
  return [text.replace(new RegExp(`(!\\[(${alts})\\]\\([^)\\n]*\\)\\n\\n)+`), () => links)];
}

const pictureLink = ({ path, alt }: Pick<Picture, 'path' | 'alt'>): string =>
  `![${alt}](${encodeURI(basename(path))})`;

const samplesText = (count: number): string => format.plural(count, 'sample');

/** Absolute paths say more about a machine than a card should. */
function withoutFolders(value: unknown): unknown {
  if (typeof value === 'string') return isAbsolute(value) ? value.split(/[\\/]/).at(-1) : value;
  if (value instanceof URL) return basename(value.pathname);
  if (Array.isArray(value)) return value.map(withoutFolders);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, withoutFolders(member)]),
  );
}

const isAbsolute = (text: string): boolean => /^(\/|[A-Za-z]:[\\/])[^\n]*$/.test(text);

/** In single quotes, a shell takes every character as it is. */
const forShell = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function usage(card: TrainingCard | MergeCard): string {
  const isAdapter = card.kind === 'adapter';
  const output = basename(card.output);
  const model = isAdapter ? basename(card.model.path) : output;
  const quoted = (text: string) => `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
  const argument = (text: string) =>
    /^[\w.+][\w.+-]*$/.test(text) ? text : forShell(text.startsWith('-') ? `./${text}` : text);
  const modelfile = [`FROM ./${model}`, ...(isAdapter ? [`ADAPTER ./${output}`] : [])].join('\n');
  return `## Use

With llamatune:

\`\`\`ts
import { generate } from 'llamatune';

const run = generate({ model: ${quoted(model)},${isAdapter ? ` adapters: [${quoted(output)}],` : ''} messages: [{ role: 'user', content: 'Hello' }] });
console.log((await run.result).text);
\`\`\`

With llama.cpp:

\`\`\`
llama-cli -m ${argument(model)}${isAdapter ? ` --lora ${argument(output)}` : ''}
\`\`\`

With Ollama, write this as \`Modelfile\`, then \`ollama create my-model -f Modelfile\` and \`ollama run my-model\`:

\`\`\`
${modelfile}
\`\`\`${
    isAdapter
      ? `

If a program does not support adapters for this model, merge it first:
\`llamatune merge --model ${argument(model)} --adapter ${argument(output)} --output merged.gguf\`.`
      : ''
  }`;
}
