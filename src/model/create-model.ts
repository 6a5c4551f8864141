import {
  type CreateModelConfig,
  type CreateModelOptions,
  createModelSchema,
  hasExperts,
} from '../config/create-model.js';
import { parseConfig } from '../config/parse.js';
import { native } from '../contract/load.js';
import { withChatTemplate } from '../data/read-chat-template.js';
import { useFiles } from '../files/lock.js';

/**
 * Creates a GGUF model with random weights, for training from scratch and for tests. The same seed gives the same file.
 * Options and their defaults: docs/configuration.md.
 *
 * @throws LlamatuneError CONFIG_INVALID, OUTPUT_CONFLICT, OUTPUT_IN_USE, OUTPUT_NOT_WRITABLE, and the errors of reading
 * the file that the vocabulary is copied from.
 */
export async function createModel(options: CreateModelOptions): Promise<void> {
  const config = withChatTemplate(parseConfig(createModelSchema, options, 'createModel options'));
  const { vocabulary, path } = config;
  const outputs = [{ field: 'path', path, kind: 'file' }] as const;
  const inputs =
    'from' in vocabulary
      ? ([{ field: 'vocabulary.from', path: vocabulary.from, kind: 'model' }] as const)
      : [];
  await useFiles({ inputs, outputs }, () =>
    native((addon) =>
      addon.createModel({
        ...config,
        kvHeads: config.kvHeads ?? config.heads,
        headLength: config.headLength ?? config.embeddingLength / config.heads,
        feedForwardLength: config.feedForwardLength ?? 3 * config.embeddingLength,
        ...expertsOf(config),
      }),
    ),
  );
}

function expertsOf(config: CreateModelConfig) {
  if (!hasExperts(config.architecture)) {
    return { experts: 0, expertsPerToken: 0, expertFeedForwardLength: 0 };
  }
  return {
    experts: config.experts ?? 8,
    expertsPerToken: config.expertsPerToken ?? 2,
    expertFeedForwardLength: config.expertFeedForwardLength ?? config.embeddingLength,
  };
}
