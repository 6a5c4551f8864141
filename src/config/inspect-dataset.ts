import { z } from 'zod';
import { chatTemplate, dataset, model, signal } from './fields.js';
import { batchSize, loss, overlength, sequenceLength, truncationSide } from './sample-fields.js';

/** Schema of the options of `inspectDataset()`. */
export const inspectDatasetSchema = z.strictObject({
  model: model(),
  dataset: dataset('Training data, as in finetune().'),
  chatTemplate: chatTemplate(),
  loss: loss(),
  sequenceLength: sequenceLength(),
  overlength: overlength(),
  truncationSide: truncationSide(),
  batchSize: batchSize(),
  microBatchTokens: z
    .int32()
    .min(2)
    .default(1024)
    .describe('Most tokens per forward and backward pass, for the padding of each layout.'),
  preview: z
    .int32()
    .min(0)
    .max(1000)
    .default(3)
    .describe('Rows at the start of the dataset that are shown with their loss mask.'),
  signal: signal(),
});

/** Options of `inspectDataset()`. */
export type InspectDatasetOptions = z.input<typeof inspectDatasetSchema>;
/** The same with every default filled in. */
export type InspectDatasetConfig = z.output<typeof inspectDatasetSchema>;
