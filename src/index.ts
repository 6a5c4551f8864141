export { type ExportedAdapter, exportAdapter } from './adapter/export-adapter.js';
export { importAdapter } from './adapter/import-adapter.js';
export { type MergedModel, mergeAdapter } from './adapter/merge-adapter.js';
export { builtInController } from './adaptive/built-in.js';
export type {
  AdaptiveController,
  AdaptiveDecision,
  AdaptiveLimits,
  AdaptiveMetrics,
  DecideFunction,
} from './adaptive/controller.js';
export {
  CHINCHILLA_LAW,
  type ChinchillaAdvice,
  type ComputeOptimum,
  chinchillaAdvice,
  computeOptimalTokens,
  effectiveTokens,
  predictedLoss,
  type ScalingLaw,
} from './advice/chinchilla.js';
export { countTokens, type TokenCount } from './advice/count-tokens.js';
export { type BenchRun, bench } from './bench/bench.js';
export { measurePeak } from './bench/peak.js';
export type {
  BenchEvent,
  BenchKind,
  BenchResult,
  BenchSample,
  BenchSeries,
} from './bench/result.js';
export {
  type ComparedResults,
  type Comparison,
  compareResults,
} from './bench/suite/compare.js';
export type { EstimatedTrial, PlanEstimate } from './bench/suite/estimate-plan.js';
export type { PlannedTrial } from './bench/suite/plan.js';
export type {
  InferenceTrial,
  Machine,
  Measure,
  Outcome,
  SuiteResults,
  TrainingTrial,
  TrialResult,
} from './bench/suite/results.js';
export { suiteResultsSchema } from './bench/suite/results.js';
export { readResults, withPrices } from './bench/suite/results-file.js';
export {
  planSuite,
  type RunSuiteOptions,
  runSuite,
  type SuiteEvent,
  type SuiteRun,
} from './bench/suite/run-suite.js';
export { SHAPES } from './bench/suite/shapes.js';
export { SUITES } from './bench/suite/suites.js';
export type { PersonalValue } from './community/personal-values.js';
export type { Replacement } from './community/scrub.js';
export {
  prepareSubmission,
  readSubmissions,
  type Submission,
  type SubmissionOptions,
  writeSubmission,
} from './community/submission.js';
export {
  type ExportAdapterOptions,
  exportAdapterSchema,
  type ImportAdapterOptions,
  importAdapterSchema,
  type MergeAdapterOptions,
  mergeAdapterSchema,
} from './config/adapter-files.js';
export { type BuiltInInput, builtInSchema } from './config/adaptive.js';
export type { AnswerSample } from './config/answer-sample.js';
export { type BenchOptions, benchSchema } from './config/bench.js';
export type { ChatMessage, TemplateMessage, TextPart } from './config/chat-message.js';
export { type ChinchillaOptions, chinchillaSchema } from './config/chinchilla.js';
export { type CountTokensOptions, countTokensSchema } from './config/count-tokens.js';
export { type CreateModelOptions, createModelSchema } from './config/create-model.js';
export type {
  AlpacaRow,
  ChatRow,
  CompletionRow,
  DatasetRow,
  ShareGptRow,
  TextRow,
  TokenRow,
} from './config/dataset-row.js';
export { describeOptions, type OptionDescription } from './config/describe.js';
export { type DevicesOptions, devicesSchema } from './config/devices.js';
export { type EmbedOptions, embedSchema } from './config/embed.js';
export {
  type EvaluateOptions,
  type EvaluationInput,
  type EvaluationSource,
  evaluateSchema,
} from './config/evaluate.js';
export type { Scorer, ScorerInput } from './config/evaluate-tasks.js';
export {
  type DatasetFileSource,
  type DatasetSource,
  DEFAULT_LORA_TARGETS,
} from './config/fields.js';
export { type FinetuneInput, finetuneSchema } from './config/finetune.js';
export {
  type GenerateManyOptions,
  type GenerateOptions,
  generateSchema,
  type Prompt,
  type PromptSource,
} from './config/generate.js';
export {
  type InspectDatasetConfig,
  type InspectDatasetOptions,
  inspectDatasetSchema,
} from './config/inspect-dataset.js';
export {
  type CheckPair,
  type JudgeOptions,
  type JudgePair,
  type JudgeRows,
  type JudgeSample,
  judgeSchema,
  type SampleSource,
} from './config/judge.js';
export { type LoadModelOptions, loadModelSchema } from './config/load-model.js';
export { parseConfig } from './config/parse.js';
export { type MeasurePeakOptions, peakSchema } from './config/peak.js';
export { type QuantizeModelOptions, quantizeModelSchema } from './config/quantize-model.js';
export {
  type RaftFinetuneOptions,
  type RaftGenerationOptions,
  type RaftInput,
  type RaftPrompt,
  type RaftPromptSource,
  raftSchema,
} from './config/raft.js';
export type { SandboxMode } from './config/sandbox.js';
export { type ScoredSequences, type ScoreOptions, scoreSchema } from './config/score.js';
export { pricesSchema, type SuiteOptions, type SuitePrices, suiteSchema } from './config/suite.js';
export { type TestDeviceOptions, testDeviceSchema } from './config/test-device.js';
export { type VerifierOptions, verifierSchema } from './config/verifier.js';
export type { Peak, ProductSpeed } from './contract/benchmark.js';
export type {
  Answer,
  GenerationTotals,
  SequenceIndex,
  TokenEvent,
} from './contract/generation.js';
export type {
  AdapterInfo,
  CpuAccelerator,
  Device,
  DeviceTest,
  ExpertCounts,
  ModelInfo,
  SystemInfo,
  TensorInfo,
} from './contract/model.js';
export type { UnusableBackend } from './contract/probe.js';
export { Run } from './contract/run.js';
export type {
  EmbeddingEvent,
  EmbedTotals,
  ScoreProgressEvent,
  ScoreTotals,
  SequenceScore,
  SequenceScoreEvent,
} from './contract/scoring.js';
export type {
  BatchLayout,
  CheckpointEvent,
  EpochEvent,
  EvaluationEvent,
  InterventionEvent,
  ObjectiveMetrics,
  PauseEvent,
  ResumeEvent,
  StepEvent,
  StepHistory,
  StepMetrics,
  WarningEvent,
} from './contract/training.js';
export { type EmbedResult, type EmbedRun, embed } from './embed/embed.js';
export { type ConfigProblem, LlamatuneError } from './errors.js';
export { type EvaluateResult, type EvaluateRun, evaluate } from './evaluate/evaluate.js';
export type { EvaluateEvent } from './evaluate/events.js';
export { readEvaluation } from './evaluate/output-folder.js';
export {
  type EvaluationResults,
  evaluationResultsSchema,
  type MeasureDescription,
  type MeasuredValue,
  type SystemComparison,
  type SystemResults,
} from './evaluate/results.js';
export type { EvaluationSample } from './evaluate/samples.js';
export { type ExpertUse, expertUse } from './expert-use.js';
export type { DoneEvent, FinetuneEvent, FinetuneResult, PhaseEvent } from './finetune/events.js';
export {
  type FinetuneOptions,
  FinetuneRun,
  finetune,
  finetuneFull,
  finetuneLora,
} from './finetune/finetune.js';
export { estimateMemory, type MemoryEstimate } from './finetune/memory.js';
export type { AnswerRates } from './generate/answer.js';
export {
  type GenerateEvent,
  type GenerateResult,
  type GenerateRun,
  generate,
} from './generate/generate.js';
export {
  type GeneratedSequence,
  type GenerateManyEvent,
  type GenerateManyResult,
  GenerateManyRun,
  type SequenceEvent,
} from './generate/generate-many.js';
export { sequenceSeed } from './generate/seed.js';
export type { SourceState } from './hardware/sampler.js';
export { inspectDataset } from './inspect/inspect-dataset.js';
export type {
  DatasetInspection,
  LayoutCost,
  LengthBin,
  Lengths,
  MarkedPart,
  PreviewRow,
  RowGroup,
} from './inspect/result.js';
export { type JudgeEvent, type JudgeRun, judge } from './judge/judge.js';
export { readJudgement } from './judge/output-folder.js';
export {
  type JudgeCheck,
  type JudgeComparison,
  type JudgeResults,
  type JudgeTally,
  judgeResultsSchema,
} from './judge/results.js';
export type { JudgeChoice, JudgeVerdict } from './judge/verdict.js';
export { createModel } from './model/create-model.js';
export { describeAdapter } from './model/describe-adapter.js';
export { type DeviceList, devices, type TrainingDevice } from './model/devices.js';
export { LoadedModel, loadModel } from './model/loaded-model.js';
export { quantizeModel } from './model/quantize-model.js';
export { systemInfo } from './model/system-info.js';
export { type DeviceTestReport, testDevice } from './model/test-device.js';
export { versions } from './model/versions.js';
export { CPP_PROMPTS, type CppPrompt } from './raft/cpp-prompts.js';
export type { RaftEvent, RaftPlace } from './raft/events.js';
export type { FilterCounts } from './raft/filter.js';
export type { HardwareUse } from './raft/hardware-log.js';
export { type Estimate, passAtK, type RaftChange, type RaftMetrics } from './raft/metrics.js';
export { type RaftOptions, type RaftRun, raft } from './raft/raft.js';
export type { RaftSample } from './raft/samples.js';
export { type SmokeTestOptions, type SmokeTestResult, smokeTest } from './raft/smoke.js';
export {
  type PromptsUsed,
  type RaftCycle,
  type RaftStage,
  type RaftSummary,
  readRaftSummary,
  type SampledStage,
  type TrainingStage,
} from './raft/summary.js';
export { type BenchRow, benchJson, benchMarkdown, benchRows } from './report/bench-table.js';
export type { NamedResults } from './report/community/build-document.js';
export { renderCommunityTable } from './report/community/render-table.js';
export {
  type RenderInspectionOptions,
  renderInspection,
} from './report/dataset/render-inspection.js';
export { renderEvaluation, writeEvaluationReport } from './report/evaluation/render-evaluation.js';
export {
  type ExpertUseEvent,
  type ExpertUseOptions,
  renderExpertUse,
} from './report/expert-use.js';
export { renderJudgement, writeJudgeReport } from './report/judge/render-judgement.js';
export {
  type LossCurveEvent,
  type LossCurveOptions,
  renderLossCurve,
  renderLossCurveHtml,
} from './report/loss-curve.js';
export { renderRaftReport, writeRaftReport } from './report/raft/render-raft-report.js';
export type { ReportFile } from './report/suite/document-files.js';
export type { ReportFormat } from './report/suite/render-document.js';
export { renderReport } from './report/suite/render-report.js';
export { writeReport } from './report/suite/write-report.js';
export {
  type SandboxCapabilities,
  type SandboxProtection,
  sandboxCapabilities,
} from './sandbox/capabilities.js';
export { type ScoreEvent, type ScoreResult, type ScoreRun, score } from './score/score.js';
export type { PairedTest } from './statistics.js';
export {
  type LoggedResult,
  type RestoredEvent,
  type RunLog,
  type RunLogEvent,
  type RunLogHeader,
  readRunLog,
} from './track/run-log.js';
export type { OnFinetuneEvent } from './track/tracker.js';
export { createVerifier } from './verify/create-verifier.js';
export type { VerifyFunction, VerifyResult } from './verify/user-function.js';
export type { Verdict, Verifier, VerifierTask } from './verify/verifier.js';
