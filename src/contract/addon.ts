import type { BenchOptions, Peak, PeakOptions, SampleEvent } from './benchmark.js';
import type {
  GenerateOptions,
  NativeGeneration,
  SequenceOutcome,
  TokenEvent,
} from './generation.js';
import type {
  AdapterInfo,
  AdapterValues,
  CreateModelOptions,
  Device,
  DeviceTest,
  DeviceTestOptions,
  ListedDevice,
  LoadOptions,
  MergeOptions,
  MergeProgress,
  MergeResult,
  ModelInfo,
  QuantizeOptions,
  SystemInfo,
} from './model.js';
import type {
  EmbeddingEvent,
  EmbedTotals,
  NativeEmbedOptions,
  NativeScoreOptions,
  ScoreProgressEvent,
  ScoreTotals,
  SequenceScoreEvent,
} from './scoring.js';
import type {
  DecisionRequest,
  LayoutRequest,
  MemoryNeeds,
  NativeDecision,
  TrainEvent,
  TrainOptions,
  TrainPlan,
  TrainResult,
} from './training.js';

// The typed view of the native addon. Everything that crosses is a plain value: numbers, strings, typed arrays, objects.
// A checked configuration is handed over as it is: the addon reads the fields that it knows (`fields` next to each C++
// struct) and ignores the others. It rejects with an Error that carries `code` and `hint`; load.ts makes LlamatuneErrors
// of them.

/** Work on a separate thread. */
export interface NativeRun<Result> {
  result: Promise<Result>;
  /** Takes effect within one training step or one token; `result` then rejects with code ABORTED. */
  abort(): void;
}

/** A training, which can also pause: between two steps, until `continue()` or `abort()`. */
export interface NativeTraining extends NativeRun<TrainResult> {
  pause(): void;
  continue(): void;
  /** Answers a DecisionRequest. */
  decide(decision: NativeDecision): void;
}

/** Events arrive in batches, in order, from a bounded queue, and all of them before the result. */
export type OnEvents<Event> = (events: Event[]) => void;

/** A loaded model. */
export interface NativeModel {
  info(): ModelInfo;
  /** The devices that hold layers, without the CPU, with their memory now. */
  devices(): NativeRun<Device[]>;
  /** With `parseSpecial`, text like '<|im_start|>' becomes its control token. */
  tokenize(text: string, addSpecial: boolean, parseSpecial: boolean): Int32Array;
  /** UTF-8 bytes of the text of a token; `special` renders control tokens. */
  tokenBytes(token: number, special: boolean): Uint8Array;
  detokenize(tokens: Int32Array, special: boolean): string;
  dispose(): Promise<void>;
}

/** A line that llama.cpp or ggml logs. */
export interface LogLine {
  level: 'debug' | 'info' | 'warn' | 'error';
  line: string;
}

export interface Addon {
  /** What the addon was built from (scripts/build-stamp.mjs); load.ts checks it. */
  readonly buildStamp: string;
  /**
   * Names of the GPU back ends that are linked in or are in the folder; empty once back ends are loaded. Does not load
   * them.
   */
  gpuBackends(folder: string): string[];
  /**
   * Loads the CPU and RPC back ends and the given GPU back ends. Must come first; later calls in a process do nothing.
   */
  loadBackends(folder: string, gpus?: string[]): void;
  systemInfo(): SystemInfo;
  listDevices(options: { rpc: string[] }): Promise<ListedDevice[]>;
  /** Can be aborted between two models and between two training steps. */
  testDevice(options: DeviceTestOptions, onEvents: OnEvents<DeviceTest>): NativeRun<void>;
  /** Sets the logger of the process; null, the default, discards the log. */
  setLogger(onLines: ((lines: LogLine[]) => void) | null): void;
  /** `onProgress` gets the fraction of the weights read so far, 0 to 1. */
  loadModel(options: LoadOptions, onProgress: OnEvents<number>): NativeRun<NativeModel>;
  /**
   * Takes the lock of this name without waiting: 'busy' if another holder has it, 'unsupported' if the file system has
   * no locks. `release()` removes the file and ends the lock. The end of the process also ends it and leaves the file.
   */
  lockFile(path: string): { state: 'held' | 'busy' | 'unsupported'; release(): void };
  createModel(options: CreateModelOptions): Promise<void>;
  quantizeModel(options: QuantizeOptions): Promise<void>;
  /** Reads the header of an adapter file. */
  describeAdapter(path: string): Promise<AdapterInfo>;
  /** Tokens that training computes, padding included, for samples of these lengths in this order. */
  computedTokens(lengths: Int32Array, layout: LayoutRequest): number;
  /** Reads the values of an adapter of this model. */
  readAdapter(model: NativeModel, path: string): Promise<AdapterValues>;
  /** Writes an adapter of this model. */
  writeAdapter(model: NativeModel, path: string, values: AdapterValues): Promise<void>;
  /** Can be aborted between two blocks of a weight. */
  mergeAdapter(
    model: NativeModel,
    options: MergeOptions,
    onEvents: OnEvents<MergeProgress>,
  ): NativeRun<MergeResult>;
  planTraining(options: TrainOptions): TrainPlan;
  estimateMemory(model: NativeModel, options: TrainOptions): Promise<MemoryNeeds>;
  train(
    model: NativeModel,
    options: TrainOptions,
    onEvents: OnEvents<TrainEvent | DecisionRequest>,
  ): NativeTraining;
  generate(
    model: NativeModel,
    options: GenerateOptions,
    onEvents: OnEvents<TokenEvent | SequenceOutcome>,
  ): NativeGeneration;
  /** Can be aborted within a forward pass. */
  score(
    model: NativeModel,
    options: NativeScoreOptions,
    onEvents: OnEvents<SequenceScoreEvent | ScoreProgressEvent>,
  ): NativeRun<ScoreTotals>;
  /** Can be aborted within a forward pass. */
  embed(
    model: NativeModel,
    options: NativeEmbedOptions,
    onEvents: OnEvents<EmbeddingEvent>,
  ): NativeRun<EmbedTotals>;
  bench(
    model: NativeModel,
    options: BenchOptions,
    onEvents: OnEvents<SampleEvent>,
  ): NativeRun<void>;
  /** Can be aborted between two matrix products. */
  measurePeak(options: PeakOptions): NativeRun<Peak>;
  /** Names of the fields of every C++ struct that crosses, nested ones by dotted path; for tests. */
  fieldNames(): Record<string, string[]>;
}
