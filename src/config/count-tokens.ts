import { z } from 'zod';
import { chatTemplate, dataset, model, signal } from './fields.js';

/** Schema of the options of `countTokens()`. */
export const countTokensSchema = z.strictObject({
  model: model(),
  dataset: dataset('Training data, as in finetune().'),
  chatTemplate: chatTemplate(),
  signal: signal(),
});

/** Options of `countTokens()`. */
export type CountTokensOptions = z.input<typeof countTokensSchema>;
