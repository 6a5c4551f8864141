import { type EmbedOptions, embedSchema } from '../config/embed.js';
import { parseConfig } from '../config/parse.js';
import { nativeRun } from '../contract/load.js';
import { Run } from '../contract/run.js';
import type { EmbeddingEvent, EmbedTotals } from '../contract/scoring.js';
import { pacer } from '../data/pause.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { useModel } from '../model/use-model.js';

/** The result of `embed()`. */
export interface EmbedResult extends EmbedTotals {
  /** A vector for each text, in the order of the texts. */
  embeddings: Float32Array[];
}

/** A running computation of embeddings: an async iterable of vectors, with the result as a promise. */
export type EmbedRun = Run<EmbeddingEvent, EmbedResult>;

/** Tokens per forward pass. */
const BATCH_SIZE = 512;

/**
 * Computes a vector for each text: the last hidden states of an embedding model (GGUF, such as BERT) or of any model that
 * generates, pooled over the tokens of the text. The dot product of two vectors of length 1 is the cosine similarity of the
 * texts. Runs on a separate thread. Options and their defaults: docs/configuration.md.
 *
 * The run's errors: CONFIG_INVALID, the errors of loadModel(), TEXT_EMPTY, TEXT_TOO_LONG, POOLING_UNSUPPORTED,
 * ADAPTER_NOT_FOUND, ADAPTER_INVALID, ADAPTER_MISMATCH, UNSUPPORTED_ARCHITECTURE, FLASH_ATTENTION_UNSUPPORTED,
 * NON_FINITE_EMBEDDING, OUT_OF_MEMORY, DISPOSED, ABORTED.
 *
 * @example
 * const { embeddings } = await embed({ model: 'minilm.gguf', texts: ['a cat', 'a kitten'] }).result;
 */
export function embed(options: EmbedOptions): EmbedRun {
  return new Run<EmbeddingEvent, EmbedResult>(
    ({ emit, signal }) => {
      const config = parseConfig(embedSchema, options, 'embed options');
      const load = { ...config, purpose: 'generate', signal } as const;
      return useModel(config.model, load, async (model) => {
        const texts = await tokenized(model, config.texts, signal);
        const embeddings: Float32Array[] = [];
        const totals = await nativeRun(signal, (addon) =>
          addon.embed(model.native, { ...config, texts, batchSize: BATCH_SIZE }, (events) => {
            for (const event of events) {
              embeddings.push(event.values);
              emit(event);
            }
          }),
        );
        return { embeddings, ...totals };
      });
    },
    { signal: options?.signal },
  );
}

/** The tokens of each text, with those that the vocabulary puts around a text. */
async function tokenized(
  model: LoadedModel,
  texts: readonly string[],
  signal: AbortSignal,
): Promise<Int32Array[]> {
  const pace = pacer(signal);
  const all: Int32Array[] = [];
  for (const text of texts) {
    all.push(model.tokenize(text, { parseSpecial: true }));
    await pace();
  }
  return all;
}
