export { type BenchRun, bench } from './bench/bench.js';
export { type MeasurePeakOptions, measurePeak, type Peak } from './bench/peak.js';
export type {
  BenchEvent,
  BenchKind,
  BenchResult,
  BenchSample,
  BenchSeries,
} from './bench/result.js';
export { type BenchOptions, benchSchema } from './config/bench.js';
export { type CreateModelOptions, createModelSchema } from './config/create-model.js';
export type {
  ChatMessage,
  ChatRow,
  CompletionRow,
  DatasetRow,
  TextRow,
  TokenRow,
} from './config/dataset-row.js';
export { describeOptions, type OptionDescription } from './config/describe.js';
export { type DevicesOptions, devicesSchema } from './config/devices.js';
export { type DatasetSource, DEFAULT_LORA_TARGETS } from './config/fields.js';
export { type FinetuneOptions, finetuneSchema } from './config/finetune.js';
export { type GenerateOptions, generateSchema } from './config/generate.js';
export { type LoadModelOptions, loadModelSchema } from './config/load-model.js';
export { parseConfig } from './config/parse.js';
export { type ConfigProblem, LlamatuneError } from './errors.js';
export type {
  CheckpointEvent,
  DoneEvent,
  EpochEvent,
  EvaluationEvent,
  FinetuneEvent,
  FinetuneResult,
  PhaseEvent,
  StepEvent,
  WarningEvent,
} from './finetune/events.js';
export { type FinetuneRun, finetuneFull, finetuneLora } from './finetune/finetune.js';
export { estimateMemory, type MemoryEstimate } from './finetune/memory.js';
export {
  type GenerateEvent,
  type GenerateResult,
  type GenerateRun,
  generate,
} from './generate/generate.js';
export { createModel } from './model/create-model.js';
export { type DeviceList, devices, type TrainingDevice } from './model/devices.js';
export {
  LoadedModel,
  loadModel,
  type ModelInfo,
} from './model/loaded-model.js';
export { type QuantizeModelOptions, quantizeModel } from './model/quantize-model.js';
export { type Device, type SystemInfo, systemInfo } from './model/system-info.js';
export type { UnusableBackend } from './native/probe.js';
export { Run } from './native/run.js';
export { type BenchRow, benchJson, benchMarkdown, benchRows } from './report/bench-table.js';
export {
  type LossCurveEvent,
  type LossCurveOptions,
  renderLossCurve,
  renderLossCurveHtml,
} from './report/loss-curve.js';
export {
  createRunLog,
  type RunLog,
  type RunLogEvent,
  type RunLogHeader,
  type RunLogWriter,
  readRunLog,
} from './report/run-log.js';
