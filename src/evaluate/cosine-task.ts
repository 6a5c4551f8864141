import type { TaskConfig } from '../config/evaluate-tasks.js';
import { embed } from '../embed/embed.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { useModel } from '../model/use-model.js';
import { type Answer, meanOf, type PrepareControls, type Task } from './task.js';
import { cosine } from './text-metrics.js';

/** The cosine of the embeddings of answer and reference. All systems are measured with the same embedding model. */
export function cosineTask(
  config: Extract<TaskConfig, { type: 'cosine' }>,
  needsReference: Task['check'],
): Task {
  const name = config.name ?? config.type;
  let vectors = new Map<string, Float32Array>();
  const similarity = (answer: string, reference: string): number => {
    const [a, b] = [vectors.get(answer.trim()), vectors.get(reference.trim())];
    if (a !== undefined && b !== undefined) return cosine(a, b);
    // A model has no vector for an empty text.
    return a === b ? 1 : 0;
  };
  return {
    name,
    type: config.type,
    measures: [
      {
        name,
        title: name,
        isPercent: false,
        higherIsBetter: true,
        ...meanOf(),
      },
    ],
    check: needsReference,
    prepare: async (answers, controls) => {
      vectors = await vectorsOf(answers, { ...controls, model: config.model ?? controls.model });
    },
    score: ({ row, text }) => ({
      value: Math.max(...row.references.map((reference) => similarity(text, reference))),
    }),
  };
}

async function vectorsOf(
  answers: readonly Answer[],
  { model, options, signal, warn }: PrepareControls,
): Promise<Map<string, Float32Array>> {
  const all = answers.flatMap(({ text, row }) => [text, ...row.references]);
  const texts = [...new Set(all.map((text) => text.trim()))].filter((text) => text !== '');
  if (texts.length === 0) return new Map();
  return useModel(model!, { ...options, purpose: 'generate', signal }, async (loaded) => {
    const limit = loaded.info.contextLength;
    const shortened = texts.map((text) => shorten(text, limit, loaded));
    const cut = shortened.filter((text, i) => text !== texts[i]).length;
    if (cut > 0)
      warn(
        'TEXTS_TRUNCATED',
        `${cut} of ${texts.length} texts are longer than the ${limit} tokens of the embedding model; only their start is compared`,
      );
    const { threads } = options;
    const { embeddings } = await embed({ model: loaded, texts: shortened, threads, signal }).result;
    return new Map(texts.map((text, i) => [text, embeddings[i]!]));
  });
}

/** The start of a text that has at most `limit` tokens. */
function shorten(text: string, limit: number, model: LoadedModel): string {
  const count = model.tokenize(text, { parseSpecial: true }).length;
  if (count <= limit) return text;
  const length = Math.floor((text.length * limit * 0.98) / count);
  // do not cut a surrogate pair in half
  return shorten(text.slice(0, length).replace(/[\uD800-\uDBFF]$/, ''), limit, model);
}
