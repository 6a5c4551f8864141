import { parseConfig } from '../config/parse.js';
import { type ScoreConfig, type ScoreOptions, scoreSchema } from '../config/score.js';
import { nativeRun } from '../contract/load.js';
import { Run } from '../contract/run.js';
import type {
  ScoreProgressEvent,
  ScoreTotals,
  SequenceScore,
  SequenceScoreEvent,
} from '../contract/scoring.js';
import { prepareDataset } from '../data/prepare.js';
import { withChatTemplate } from '../data/read-chat-template.js';
import { withTemporaryFolder } from '../files/temporary-folder.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { useModel } from '../model/use-model.js';

export type ScoreEvent = SequenceScoreEvent | ScoreProgressEvent;

/** The result of `score()`. */
export interface ScoreResult extends Omit<ScoreTotals, 'loss'> {
  /** The scores of all sequences, in their order. */
  sequences: SequenceScore[];
  /** Weighted mean of -log p over all targets: what training's evaluation computes. */
  loss: number;
  /** e to the power of `loss`. */
  perplexity: number;
  /** Fraction of the targets that are the most likely token. */
  accuracy: number;
}

/** A running scoring: an async iterable of scored sequences and of the progress, with the result as a promise. */
export type ScoreRun = Run<ScoreEvent, ScoreResult>;

/** Tokens per forward pass. */
const BATCH_SIZE = 512;

/**
 * Computes how likely a model, with adapters if given, finds the targets of sequences: tokens with a weight above 0, given the
 * tokens before them. Perplexity, token accuracy and the most likely one of several continuations follow from it. Many
 * sequences are computed together; what they have in common at their beginning is computed once. Runs on a separate thread.
 * Options and their defaults: docs/configuration.md.
 *
 * The run's errors: CONFIG_INVALID, the errors of loadModel() and of a dataset (see finetune()), SAMPLE_TOO_LONG,
 * TOKEN_OUT_OF_RANGE, ADAPTER_NOT_FOUND, ADAPTER_INVALID, ADAPTER_MISMATCH, UNSUPPORTED_ARCHITECTURE,
 * FLASH_ATTENTION_UNSUPPORTED, NON_FINITE_LOGITS, OUT_OF_MEMORY, DISPOSED, ABORTED.
 *
 * @example
 * const { perplexity, accuracy } = await score({ model: 'base.gguf', dataset: 'test.jsonl' }).result;
 */
export function score(options: ScoreOptions): ScoreRun {
  return new Run<ScoreEvent, ScoreResult>(
    ({ emit, signal }) => {
      const config = withChatTemplate(parseConfig(scoreSchema, options, 'score options'));
      const load = { ...config, purpose: 'generate', signal } as const;
      return useModel(config.model, load, (model) =>
        withTemporaryFolder(async (directory) => {
          const contextLength = config.sequenceLength ?? model.info.contextLength;
          const file = await writeSequences(model, config, contextLength, directory, signal);
          const sequences: SequenceScore[] = [];
          const totals = await nativeRun(signal, (addon) =>
            addon.score(
              model.native,
              { ...config, file, contextLength, batchSize: BATCH_SIZE },
              (events) => {
                for (const event of events) {
                  if (event.type === 'sequence') {
                    const { type: _, ...sequence } = event;
                    sequences[event.index] = sequence;
                  }
                  emit(event);
                }
              },
            ),
          );
          return resultOf(sequences, totals);
        }),
      );
    },
    { signal: options?.signal },
  );
}

/** Writes the token file of the sequences and returns its path. */
async function writeSequences(
  { textModel }: LoadedModel,
  config: ScoreConfig,
  sequenceLength: number,
  directory: string,
  signal: AbortSignal,
): Promise<string> {
  const { train } = await prepareDataset({
    ...config,
    dataset: config.dataset ?? config.sequences!,
    ...{ model: textModel, directory, sequenceLength, signal },
    seed: 0, // nothing is split off or repeated in part
  });
  return train.file;
}

function resultOf(sequences: SequenceScore[], totals: ScoreTotals): ScoreResult {
  const loss = totals.loss!; // every sample has a target
  return {
    sequences,
    ...totals,
    loss,
    perplexity: Math.exp(loss),
    accuracy: totals.correct / totals.targets,
  };
}
