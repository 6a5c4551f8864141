import { type CountTokensOptions, countTokensSchema } from '../config/count-tokens.js';
import { parseConfig } from '../config/parse.js';
import { prepareDataset } from '../data/prepare.js';
import { withChatTemplate } from '../data/read-chat-template.js';
import { withTemporaryFolder } from '../files/temporary-folder.js';
import { useModel, vocabularyOf } from '../model/use-model.js';

/** The size of a dataset in tokens of a model. */
export interface TokenCount {
  samples: number;
  /** All tokens, with those of the chat template. */
  tokens: number;
  /** Tokens of the longest sample. */
  longest: number;
}

/** More tokens than a sample of any model has. */
const NO_LIMIT = 2 ** 31 - 1;

/**
 * Counts the tokens of a dataset as finetune() would make them, whatever the loss is computed on.
 *
 * @throws LlamatuneError CONFIG_INVALID, MODEL_NOT_FOUND, DATASET_NOT_FOUND, DATASET_INVALID_ROW and the other errors of
 * a model or a dataset, ABORTED
 *
 * @example
 * const { tokens } = await countTokens({ model: 'base.gguf', dataset: 'train.jsonl' });
 */
export async function countTokens(options: CountTokensOptions): Promise<TokenCount> {
  const config = withChatTemplate(parseConfig(countTokensSchema, options, 'countTokens options'));
  const { dataset, chatTemplate, signal } = config;
  return useModel(config.model, vocabularyOf(signal), ({ textModel }) =>
    withTemporaryFolder(async (directory) => {
      const { train } = await prepareDataset({
        ...{ dataset, chatTemplate, signal, directory },
        model: textModel,
        loss: 'all',
        sequenceLength: NO_LIMIT,
        seed: 0,
      });
      return { samples: train.samples, tokens: train.tokens, longest: train.longest };
    }),
  );
}
