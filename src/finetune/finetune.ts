import { DecisionMaker } from '../adaptive/decision-maker.js';
import { chinchillaAdvice } from '../advice/chinchilla.js';
import { type FinetuneConfig, type FinetuneInput, finetuneSchema } from '../config/finetune.js';
import { configError, parseConfig } from '../config/parse.js';
import type { NativeTraining } from '../contract/addon.js';
import { native, nativeRun } from '../contract/load.js';
import type {
  DecisionRequest,
  EnginePhaseEvent,
  TrainEvent,
  TrainOptions,
  TrainPlan,
} from '../contract/training.js';
import { type PreparedDataset, prepareDataset } from '../data/prepare.js';
import { withChatTemplate } from '../data/read-chat-template.js';
import { LlamatuneError } from '../errors.js';
import { checkFiles, type OutputFile, problemsOfOptional } from '../files/check.js';
import { datasetFiles } from '../files/dataset-files.js';
import { holdOutputs } from '../files/lock.js';
import { filesOfRun, runLogOf } from '../files/run-files.js';
import { withTemporaryFolder } from '../files/temporary-folder.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { systemInfo } from '../model/system-info.js';
import { useModel } from '../model/use-model.js';
import { versions } from '../model/versions.js';
import { buildSchedule } from '../schedule/schedule.js';
import { resolveWarmupSteps } from '../schedule/warmup.js';
import type { OnFinetuneEvent } from '../track/tracker.js';
import { type TrackerOptions, trackersOf } from '../track/trackers.js';
import type { FinetuneEvent, FinetuneResult, PhaseEvent } from './events.js';
import { type FinetuneControls, FinetuneRun } from './finetune-run.js';
import { RunHistory } from './history.js';
import { checkMemory, type MemoryChoice } from './memory.js';
import { withModelCard } from './model-card.js';
import { recordedConfig } from './recorded-config.js';
import { trainOptions } from './train-options.js';

export { FinetuneRun };

/** Options of `finetune()`. Each option is documented in docs/configuration.md. */
export type FinetuneOptions = Omit<FinetuneInput, 'onEvent'> & {
  onEvent?: OnFinetuneEvent | undefined;
};

/**
 * Fine-tunes a GGUF model on a separate thread and writes a LoRA adapter (`mode: 'lora'`) or a whole model
 * (`mode: 'full'`) that stock llama.cpp loads. Returns immediately: iterate over the run for its events, await `.result`
 * for the result, or do only one of the two. Unread events do not block the training: the newest 4096 are kept.
 *
 * Options, files and folders are checked before the model is loaded, and memory before the first step. Options and their
 * defaults: docs/configuration.md.
 *
 * The run's errors: CONFIG_INVALID (all problems at once), MODEL_NOT_FOUND, NOT_A_GGUF, MODEL_TRUNCATED, DATASET_…,
 * SAMPLE_TOO_LONG, SEQUENCE_TOO_LONG, OUTPUT_CONFLICT, OUTPUT_IN_USE, OUTPUT_NOT_WRITABLE,
 * TEMPORARY_FOLDER_NOT_WRITABLE, UNSUPPORTED_ARCHITECTURE, UNSUPPORTED_OP, TARGET_UNKNOWN,
 * ADAPTER_MISMATCH, CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID, CHECKPOINT_MISMATCH, INSUFFICIENT_MEMORY, OUT_OF_MEMORY,
 * NON_FINITE_LOSS, ADAPTIVE_CONTROLLER_FAILED, ADAPTIVE_DECISION_INVALID, NATIVE_ASSERTION, DISPOSED, ABORTED.
 *
 * @example
 * const run = finetune({ model: 'base.gguf', dataset: 'train.jsonl', output: 'adapter.gguf', epochs: 3 });
 * for await (const event of run) if (event.type === 'step') console.log(event.step, event.loss);
 * const { output, finalLoss } = await run.result;
 */
export function finetune(options: FinetuneOptions): FinetuneRun {
  return new FinetuneRun((controls) => run(options, controls), options?.signal);
}

/** Like `finetune()` with `mode: 'lora'`: trains a LoRA adapter. */
export function finetuneLora(options: Omit<FinetuneOptions, 'mode'>): FinetuneRun {
  return finetune(withMode('lora', options));
}

/**
 * Like `finetune()` with `mode: 'full'`: trains every parameter of a model with F32 weights and writes a whole model.
 * `model` must be a path, because the weights of a shared model must not change.
 */
export function finetuneFull(options: Omit<FinetuneOptions, 'mode' | 'lora'>): FinetuneRun {
  return finetune(withMode('full', options));
}

/** @throws LlamatuneError CONFIG_INVALID for another mode, which the types exclude. */
function withMode(mode: FinetuneConfig['mode'], options: FinetuneOptions): FinetuneOptions {
  const given = options?.mode;
  if (given === undefined || given === mode) return { ...options, mode };
  const message = `expected '${mode}' for this function but received '${given}'`;
  throw configError([{ path: 'mode', message }], 'finetune options');
}

async function run(options: FinetuneOptions, controls: FinetuneControls): Promise<FinetuneResult> {
  const validating = phaseEvent('validate', 'options, files and folders');
  controls.emit(validating);
  const given = withChatTemplate(parseConfig(finetuneSchema, options, 'finetune options'));
  const logProblem = problemsOfOptional(filesOfRun(given)).get('runLog');
  const config = logProblem === undefined ? given : { ...given, runLog: false as const };
  const files = filesOfRun(config);
  const outputs = [...files.outputs, ...folderOfTensorBoard(config)];
  const newFolders = checkFiles({ ...files, outputs });
  const trackers = trackersOf({ ...trackerOptions(config), logProblem }, controls.emit);
  const emit = (event: FinetuneEvent) => {
    trackers.write(event);
    controls.emit(event);
  };
  trackers.write(validating);
  try {
    return await holdOutputs(
      files.outputs,
      () =>
        withTemporaryFolder((directory) =>
          prepareAndTrain(config, directory, { ...controls, emit }),
        ),
      newFolders,
    );
  } finally {
    trackers.close();
  }
}

function trackerOptions(config: FinetuneConfig): TrackerOptions {
  const path = runLogOf(config);
  const header = { config: recordedConfig(config), versions: versions() };
  return { ...(config as TrackerOptions), runLog: path === null ? undefined : { path, header } };
}

/** It is not locked: each run has its own file in it. */
const folderOfTensorBoard = ({ tensorboard }: FinetuneConfig): OutputFile[] =>
  tensorboard === undefined ? [] : [{ field: 'tensorboard', path: tensorboard, kind: 'folder' }];

async function prepareAndTrain(
  config: FinetuneConfig,
  directory: string,
  controls: FinetuneControls,
): Promise<FinetuneResult> {
  const { emit, signal } = controls;
  const modelPath = typeof config.model === 'string' ? config.model : config.model.path;
  emit(phaseEvent('model', modelPath, 0));
  const load = {
    ...config,
    purpose: 'train',
    writable: config.mode === 'full',
    signal,
    onProgress: (fraction: number) => emit(phaseEvent('model', modelPath, fraction)),
  } as const;
  return useModel(config.model, load, async (model) => {
    checkSequenceLength(model, config);
    checkPacking(model, config);
    const files = datasetFiles(config.dataset).map(({ path }) => path);
    emit(phaseEvent('dataset', files.length > 0 ? files.join(', ') : 'rows from memory'));
    const dataset = await prepareDataset({ ...config, model: model.textModel, directory, signal });
    return train(model, config, dataset, controls);
  });
}

async function train(
  model: LoadedModel,
  config: FinetuneConfig,
  dataset: PreparedDataset,
  controls: FinetuneControls,
): Promise<FinetuneResult> {
  const { emit, signal } = controls;
  const history = new RunHistory(config, dataset, emit);
  history.warnAboutSamples();
  history.warnAboutPrecision(model.onGpu || systemInfo().cpuAccelerator?.fastBf16 === true);

  const { given, plan } = planOf(config, trainOptions(config, model, dataset));
  const schedule = scheduleOf(config, plan);
  const planned = { ...given, learningRates: schedule(given.epochs) };
  const decisions = decisionMaker(config, model, plan, schedule);
  emit(phaseEvent('memory', 'comparing the needed and the available memory'));
  const choice = await checkMemory(model, config, planned, plan);
  const { gradientCheckpointing, microBatchTokens, weightCache } = choice;
  history.warnAboutWeightCache(weightCache);
  const options = { ...planned, gradientCheckpointing, microBatchTokens, weightCache };

  let training: NativeTraining | undefined;
  const onEvents = (events: (TrainEvent | DecisionRequest)[]) => {
    for (const event of events) {
      if (event.type === 'decide') {
        void decisions?.decide(event).then((decision) => training?.decide(decision));
        continue;
      }
      const isLastStep = event.type === 'step' && event.step === event.totalSteps;
      if (isLastStep || (event.type === 'phase' && event.phase === 'save')) controls.lastStepDone();
      if (event.type === 'phase') emit(enginePhase(event, config, choice));
      else history.add(event);
    }
  };
  const outcome = await nativeRun(signal, (addon) => {
    training = addon.train(model.native, options, onEvents);
    controls.started(training);
    return training;
  }).catch((error: unknown) => {
    throw decisions?.explain(error) ?? error;
  });
  const adapter =
    config.mode === 'lora' ? await native((addon) => addon.describeAdapter(config.output)) : null;
  const trained = history.result(outcome, options, choice.totalBytes, adapter);
  const result = withModelCard(trained, history.expertSpans(), config, model, emit);
  emit({ type: 'done', result });
  return result;
}

/** The plan of a run. If `maxSteps` is more than the epochs have, the dataset is repeated as often as that needs. */
function planOf(
  config: FinetuneConfig,
  options: TrainOptions,
): { given: TrainOptions; plan: TrainPlan } {
  const planFor = (given: TrainOptions) => native((addon) => addon.planTraining(given));
  const plan = planFor(options);
  const { maxSteps } = config;
  if (maxSteps === undefined || maxSteps <= plan.totalSteps) return { given: options, plan };
  const perEpoch = plan.totalSteps / options.epochs;
  const given = { ...options, epochs: Math.ceil(maxSteps / perEpoch) };
  return { given, plan: planFor(given) };
}

/** The learning rate of every step of a run with this number of epochs. The warm-up is that of the plan. */
function scheduleOf(config: FinetuneConfig, plan: TrainPlan): (epochs: number) => Float32Array {
  const { type, minLearningRate } = config.scheduler;
  const stepsOf = (steps: number) => Math.min(steps, config.maxSteps ?? steps);
  const warmupSteps = resolveWarmupSteps(config.scheduler, stepsOf(plan.totalSteps));
  return (epochs) =>
    buildSchedule({
      type,
      learningRate: config.optimizer.learningRate,
      minLearningRate,
      warmupSteps,
      totalSteps: stepsOf(epochs * plan.stepsPerEpoch),
    });
}

function decisionMaker(
  config: FinetuneConfig,
  { info }: LoadedModel,
  plan: TrainPlan,
  schedule: (epochs: number) => Float32Array,
): DecisionMaker | undefined {
  const { adaptive, mode, epochs } = config;
  if (adaptive === undefined) return undefined;
  const { maxEpochs = mostEpochs(info.parameters, plan.tokens, mode), ...limits } = adaptive.limits;
  return new DecisionMaker(
    adaptive,
    { ...limits, maxEpochs: Math.max(epochs, maxEpochs) },
    schedule,
  );
}

/** The epochs that scaling laws advise for a dataset of this many tokens. */
const mostEpochs = (parameters: number, tokens: number, mode: FinetuneConfig['mode']): number =>
  chinchillaAdvice({ parameters, tokens, mode }).epochs;

/**
 * Refuses sequences longer than the context: the model has not learned those positions, and RoPE tables may end there.
 */
function checkSequenceLength(model: LoadedModel, config: FinetuneConfig): void {
  const { contextLength } = model.info;
  if (config.sequenceLength <= contextLength) return;
  const message = `expected at most the model's context of ${contextLength} tokens but received ${config.sequenceLength}`;
  const { problems } = configError([{ path: 'sequenceLength', message }]);
  throw new LlamatuneError('SEQUENCE_TOO_LONG', `sequenceLength: ${message}`, {
    hint: `set sequenceLength to ${contextLength} or less`,
    problems,
  });
}

/** Refuses packing for recurrent models, whose state would leak from one sample of a row to the next. */
function checkPacking({ info }: LoadedModel, config: FinetuneConfig): void {
  if (config.packing !== true || info.canPack) return;
  const message = `expected false for the recurrent architecture ${info.architecture}, whose samples cannot share a row, but received true`;
  const { problems } = configError([{ path: 'packing', message }]);
  throw new LlamatuneError('PACKING_UNSUPPORTED', `packing: ${message}`, {
    hint: 'turn packing off for this model',
    problems,
  });
}

/** Converts a phase of the engine to an event of the run. */
function enginePhase(
  { phase, run }: EnginePhaseEvent,
  { output }: FinetuneConfig,
  { gradientCheckpointing, weightCache }: MemoryChoice,
): PhaseEvent {
  if (phase === 'save') return phaseEvent(phase, output);
  if (phase === 'train') return { ...phaseEvent(phase, ''), ...(run === null ? {} : { run }) };
  const details = [
    ...(gradientCheckpointing
      ? ['gradient checkpointing: activations are recomputed in the backward pass']
      : []),
    ...(weightCache ? ['weight cache: frozen weights are dequantized once and kept'] : []),
  ];
  return { ...phaseEvent(phase, details.join('; ')), gradientCheckpointing, weightCache };
}

function phaseEvent(
  phase: PhaseEvent['phase'],
  detail: string,
  progress: number | null = null,
): PhaseEvent {
  return { type: 'phase', phase, progress, detail };
}
