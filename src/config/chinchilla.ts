import { z } from 'zod';

/** Schema of the options of `chinchillaAdvice()`. */
export const chinchillaSchema = z.strictObject({
  parameters: z.int().min(1).describe('Parameters of the model, all of them.'),
  tokens: z.int().min(1).describe('Tokens of the dataset, each counted once.'),
  mode: z
    .enum(['lora', 'full'])
    .default('lora')
    .describe('As in finetune(): the advice says what it does not know about the mode.'),
});

/** Options of `chinchillaAdvice()`. */
export type ChinchillaOptions = z.input<typeof chinchillaSchema>;
