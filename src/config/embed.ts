import { z } from 'zod';
import { withCrossFieldRules } from './cross-field.js';
import {
  adapters,
  flashAttention,
  model,
  placementProblems,
  placementShape,
  signal,
  threads,
} from './fields.js';

const base = z.strictObject({
  model: model(),
  texts: z.array(z.string()).describe('Texts to embed, without chat template.'),
  pooling: z
    .enum(['auto', 'mean', 'cls', 'last'])
    .default('auto')
    .describe(
      "How the last hidden states of a text's tokens become one vector: their mean, that of the first token (cls) or of the " +
        "last token. auto: as the model's metadata says, else mean.",
    ),
  normalize: z.boolean().default(true).describe('Scale every vector to length 1 (L2).'),
  adapters: adapters(),
  flashAttention: flashAttention(),
  threads: threads(),
  ...placementShape(),
  signal: signal(),
});

/** Schema of the options of `embed()`. */
export const embedSchema = withCrossFieldRules(base, placementProblems);

/** Options of `embed()`. Each option is documented in docs/configuration.md. */
export type EmbedOptions = z.input<typeof embedSchema>;
/** The same with every default filled in. */
export type EmbedConfig = z.output<typeof embedSchema>;
