import type {
  CheckpointEvent,
  DecisionRequest,
  EnginePhaseEvent,
  EpochEvent,
  EvaluationEvent,
  InterventionEvent,
  LayoutRequest,
  MemoryNeeds,
  NativeDecision,
  PauseEvent,
  PreparedCheckpoint,
  PreparedTraining,
  ResumeEvent,
  StepEvent,
  StepHistory,
  TrainPlan,
  TrainResult,
  WarningEvent,
} from '../../src/contract/training.js';
import { experts, keys, nested } from './contract-keys.js';

const evaluationKeys = ['step', 'loss', 'metrics'];
const interventionKeys = ['step', 'kind', 'reason', 'before', 'after'];
const recordKeys = [
  ...nested('evaluations', evaluationKeys),
  ...nested('interventions', interventionKeys),
];

/** What the addon writes for a training: see contract.test.ts. */
export const trainingResults: Record<string, string[]> = {
  TrainPlan: keys<TrainPlan>({
    samples: true,
    stepsPerEpoch: true,
    totalSteps: true,
    tokens: true,
    targetTokens: true,
    longestSample: true,
    largestStep: true,
    largestMicroBatch: true,
  }),
  MemoryNeeds: keys<MemoryNeeds>({
    weightsBytes: true,
    adapterBytes: true,
    optimizerBytes: true,
    activationBytes: true,
    graphBytes: true,
    weightCacheBytes: true,
    processBytes: true,
    totalBytes: true,
  }),
  StepEvent: keys<StepEvent>({
    type: true,
    step: true,
    totalSteps: true,
    epoch: true,
    loss: true,
    metrics: true,
    learningRate: true,
    gradientNorm: true,
    tokens: true,
    targetTokens: true,
    tokensPerSecond: true,
    samplesPerSecond: true,
    stepMs: true,
    forwardMs: true,
    backwardMs: true,
    lossMs: true,
    optimizerMs: true,
    dataMs: true,
    memoryBytes: true,
    etaMs: true,
    experts: true,
  }).concat(nested('experts', experts)),
  EvaluationEvent: keys<EvaluationEvent>({
    type: true,
    step: true,
    epoch: true,
    loss: true,
    metrics: true,
    targetTokens: true,
    ms: true,
  }),
  CheckpointEvent: keys<CheckpointEvent>({ type: true, step: true, path: true }),
  ResumeEvent: [
    ...keys<ResumeEvent>({ type: true, step: true, path: true, history: true }),
    ...nested('history', [
      ...keys<StepHistory>({
        ...({ losses: true, learningRates: true } as const),
        ...({ evaluations: true, interventions: true } as const),
      }),
      ...recordKeys,
    ]),
  ],
  PauseEvent: keys<PauseEvent>({ type: true, step: true }),
  EpochEvent: keys<EpochEvent>({
    type: true,
    epoch: true,
    step: true,
    loss: true,
    metrics: true,
  }),
  LayoutRequest: keys<LayoutRequest>({
    ...({ layout: true, batchSize: true, sequenceLength: true } as const),
    ...({ microBatchTokens: true, microBatchSize: true } as const),
  }),
  InterventionEvent: keys<InterventionEvent>({
    ...({ type: true, step: true, kind: true } as const),
    ...({ reason: true, before: true, after: true } as const),
  }),
  DecisionRequest: keys<DecisionRequest>({
    ...({ type: true, step: true, totalSteps: true, epoch: true, epochs: true } as const),
    ...({ loss: true, metrics: true, gradientNorm: true } as const),
    ...({ learningRate: true, learningRateFactor: true, accumulation: true } as const),
    ...({ samples: true, tokens: true, targetTokens: true } as const),
    ...({ microBatchGradientNorm: true, microBatchSamples: true, keptStep: true } as const),
    ...({ evaluationStep: true, evaluationLoss: true, controllerState: true } as const),
  }),
  WarningEvent: keys<WarningEvent>({ type: true, code: true, message: true }),
  EnginePhaseEvent: keys<EnginePhaseEvent>({ type: true, phase: true, run: true }),
  TrainResult: [
    ...keys<TrainResult>({
      steps: true,
      losses: true,
      learningRates: true,
      evaluations: true,
      interventions: true,
      finalLoss: true,
      finalValidationLoss: true,
      bestValidationLoss: true,
      bestStep: true,
      stoppedEarly: true,
      tokens: true,
      targetTokens: true,
      seconds: true,
      pausedSeconds: true,
      tokensPerSecond: true,
      trainableParameters: true,
      peakMemoryBytes: true,
      weightCacheBytes: true,
      experts: true,
    }),
    ...nested('experts', experts),
    ...recordKeys,
  ],
};

/** What the addon reads of a decision. */
trainingResults.NativeDecision = [
  ...keys<NativeDecision>({
    ...({ update: true, keep: true, learningRateFactor: true, accumulation: true } as const),
    ...({ learningRates: true, stop: true, reason: true } as const),
    ...({ controllerState: true, failure: true } as const),
  }),
  ...nested('failure', ['code', 'message', 'hint']),
];

/** Fields that the preparation adds to a configuration and the addon reads. */
const preparedTraining = keys<PreparedTraining>({
  trainFile: true,
  validation: true,
  checkpoint: true,
  learningRates: true,
  adaptive: true,
  layout: true,
  microBatchTokens: true,
  microBatchSize: true,
  precision: true,
  gradientCheckpointing: true,
  weightCache: true,
});
const preparedCheckpoint = keys<PreparedCheckpoint>({
  directory: true,
  everySteps: true,
  everyMinutes: true,
  everyEpoch: true,
  keepLast: true,
  keepBest: true,
  resume: true,
  facts: true,
});

/** Fields of the options of a training that no schema has. */
export const addedForTraining: string[] = [
  ...[...preparedTraining, 'validation.file', ...nested('checkpoint', preparedCheckpoint)],
  ...nested('checkpoint.resume', ['from', 'allow', 'allowable']),
  ...nested('checkpoint.facts', ['option', 'value']),
];
