import type { FinetuneConfig } from '../config/finetune.js';
import type { WarningEvent } from '../contract/training.js';
import type { ExpertSpan } from '../expert-history.js';
import { datasetFiles } from '../files/dataset-files.js';
import * as format from '../format.js';
import type { LoadedModel } from '../model/loaded-model.js';
import type { LossCurveEvent } from '../report/loss-curve.js';
import { addModelCard } from '../report/model-card.js';
import type { FinetuneResult } from './events.js';
import { publishedConfig } from './recorded-config.js';

/**
 * Writes the model card of a run that has ended.
 *
 * @returns the result with the path of the card, or with a warning
 */
export function withModelCard(
  result: FinetuneResult,
  experts: ExpertSpan[],
  config: FinetuneConfig,
  model: LoadedModel,
  emit: (event: WarningEvent) => void,
): FinetuneResult {
  if (!config.modelCard) return result;
  const { modelCard, warnings } = addModelCard({
    kind: config.mode === 'lora' ? 'adapter' : 'model',
    output: config.output,
    model: { path: model.path, name: model.info.name, architecture: model.info.architecture },
    datasets: datasetFiles(config.dataset).map(({ path }) => path),
    samples: result.samples,
    validationSamples: result.validationSamples,
    config: publishedConfig(config, model.path),
    results: resultsOf(result),
    interventions: result.interventions.map(format.intervention),
    history: historyOf(result),
    experts,
  });
  for (const warning of warnings) emit({ type: 'warning', ...warning });
  return { ...result, modelCard, warnings: [...result.warnings, ...warnings] };
}

function resultsOf(result: FinetuneResult): [string, string][] {
  const { steps, finalLoss, finalValidationLoss, tokens, targetTokens, adapter } = result;
  return [
    ['Optimizer steps', format.integer(steps)],
    ['Tokens', format.integer(tokens)],
    ['Tokens with a loss', format.integer(targetTokens)],
    ['Training loss of the last step', format.loss(finalLoss)],
    ...(finalValidationLoss === null
      ? []
      : [['Validation loss', format.loss(finalValidationLoss)] as [string, string]]),
    ['Trained parameters', format.integer(result.trainableParameters)],
    ...(adapter?.rank ? [['Rank', String(adapter.rank)] as [string, string]] : []),
    ['Time', format.duration(1000 * result.seconds)],
  ];
}

function historyOf({
  losses,
  learningRates,
  evaluations,
  interventions,
}: FinetuneResult): LossCurveEvent[] {
  return [
    ...Array.from(losses, (loss, i) => ({
      type: 'step' as const,
      step: i + 1,
      loss: Number.isNaN(loss) ? null : loss,
      learningRate: learningRates[i]!,
    })),
    ...evaluations.map(({ step, loss }) => ({ type: 'evaluation' as const, step, loss })),
    ...interventions.map((each) => ({ type: 'intervention' as const, ...each })),
  ];
}
