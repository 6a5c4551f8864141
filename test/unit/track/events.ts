import type { FinetuneEvent } from '../../../src/finetune/events.js';

/** The events of a short run. */
export const events: FinetuneEvent[] = [
  { type: 'phase', phase: 'train', progress: null, detail: '' },
  ...[1, 2, 300].map(
    (step): FinetuneEvent => ({
      ...{ type: 'step', step, totalSteps: 300, epoch: 1, loss: 2 / step },
      ...{ metrics: { tokenAccuracy: step === 1 ? null : 0.5 }, learningRate: 1e-4 / step },
      ...{ gradientNorm: 0.25, tokens: 64, targetTokens: 32, tokensPerSecond: 1000.5 },
      ...{
        samplesPerSecond: 8,
        stepMs: 64,
        forwardMs: 1,
        backwardMs: 1,
        lossMs: 1,
        optimizerMs: 1,
      },
      ...{ dataMs: 1, memoryBytes: 3e9, etaMs: 10, experts: null },
    }),
  ),
  {
    ...{ type: 'evaluation', step: 300, epoch: 1, loss: 1.5, metrics: { tokenAccuracy: 0.75 } },
    ...{ targetTokens: 32, ms: 3 },
  },
  { type: 'epoch', epoch: 1, step: 300, loss: null, metrics: {} },
];
