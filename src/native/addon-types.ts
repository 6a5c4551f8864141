/**
 * The only typed view of the native addon. Everything that crosses is a plain value: numbers, strings, typed arrays.
 * Native code rejects with an Error that carries `code` and `hint`; load.ts turns those into LlamatuneError.
 */

export interface NativeLoadOptions {
  path: string;
  /** Layers placed on the GPU; -1: all. */
  gpuLayers: number;
  /** 'auto', 'cpu', a back end, or names separated by commas. */
  device: string;
  /** 'host:port' of RPC servers. */
  rpc: string[];
  /** One part per device; empty: by free memory. */
  tensorSplit: Float32Array;
  placement: { pattern: string; device: string }[];
  useMmap: boolean;
  /** Weights in the CPU's packed layouts: faster inference, cannot be trained. */
  repack: boolean;
}

export interface NativeTensorInfo {
  name: string;
  type: string;
  /** ggml order: shape[0] is the contiguous dimension. */
  shape: number[];
  bytes: number;
}

export interface NativeModelInfo {
  architecture: string;
  name: string;
  description: string;
  parameters: number;
  bytes: number;
  contextLength: number;
  embeddingLength: number;
  layers: number;
  vocabularySize: number;
  chatTemplate: string | null;
  bosToken: number | null;
  eosToken: number | null;
  /** End-of-turn token, where the vocabulary names one. */
  eotToken: number | null;
  addBos: boolean;
  addEos: boolean;
  /** Several training samples may share a row: false where recurrent state would pass between them. */
  canPack: boolean;
  /** Weight kinds that a LoRA pair can be put on, e.g. 'attn_q' -> how many tensors. */
  trainableTargets: Record<string, number>;
  tensors: NativeTensorInfo[];
  metadata: Record<string, string>;
}

export interface NativeModel {
  info(): NativeModelInfo;
  /** Those that hold layers, the CPU left out, with their memory now. */
  devices(): NativeRun<NativeDevice[]>;
  /** parseSpecial: text like '<|im_start|>' becomes its control token. */
  tokenize(text: string, addSpecial: boolean, parseSpecial: boolean): Int32Array;
  /** UTF-8 bytes of one token's text; control tokens are rendered when `special`. */
  tokenBytes(token: number, special: boolean): Uint8Array;
  detokenize(tokens: Int32Array, special: boolean): string;
  dispose(): Promise<void>;
}

/** Of products with the model's weights on the CPU. */
export type NativePrecision = 'f32' | 'bf16';

export interface NativeTrainOptions {
  mode: 'lora' | 'full';
  lora: {
    rank: number;
    alpha: number;
    rsLora: boolean;
    plusRatio: number;
    targets: string[];
    initAdapter: string;
  };
  trainFile: string;
  validationFile: string;
  output: string;
  sequenceLength: number;
  batchSize: number;
  microBatchSize: number;
  packing: boolean;
  shuffle: boolean;
  epochs: number;
  seed: number;
  learningRates: Float32Array;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  maxGradientNorm: number;
  evaluateEvery: number;
  checkpointDirectory: string;
  checkpointEvery: number;
  resume: boolean;
  precision: NativePrecision;
  /** Activations are computed again in the backward pass. */
  recompute: boolean;
  threads: number;
}

export interface NativeTrainPlan {
  samples: number;
  rows: number;
  stepsPerEpoch: number;
  totalSteps: number;
  tokens: number;
  targetTokens: number;
}

export interface NativeMemoryEstimate {
  weightsBytes: number;
  adapterBytes: number;
  activationBytes: number;
  totalBytes: number;
}

/** Mirrors native/train/event.h; `type` is the discriminator. A number that was not measured is null. */
export type NativeTrainEvent =
  | {
      type: 'step';
      step: number;
      totalSteps: number;
      epoch: number;
      /** null: the step has no token that carries a loss. */
      loss: number | null;
      learningRate: number;
      gradientNorm: number | null;
      tokens: number;
      targetTokens: number;
      tokensPerSecond: number | null;
      samplesPerSecond: number | null;
      stepMs: number;
      forwardMs: number | null;
      backwardMs: number | null;
      lossMs: number | null;
      optimizerMs: number | null;
      dataMs: number | null;
      memoryBytes: number | null;
      etaMs: number | null;
    }
  | {
      type: 'evaluation';
      step: number;
      epoch: number;
      loss: number;
      targetTokens: number;
      ms: number;
    }
  | { type: 'checkpoint'; step: number; path: string }
  | { type: 'epoch'; epoch: number; step: number; loss: number | null }
  | { type: 'warning'; code: string; message: string }
  | { type: 'phase'; phase: string };

export interface NativeTrainResult {
  steps: number;
  finalLoss: number | null;
  finalValidationLoss: number | null;
  tokens: number;
  targetTokens: number;
  seconds: number;
  tokensPerSecond: number | null;
  trainableParameters: number;
  peakMemoryBytes: number | null;
}

export interface NativeGenerateOptions {
  prompt: Int32Array;
  maxTokens: number;
  contextLength: number;
  batchSize: number;
  threads: number;
  adapters: { path: string; scale: number }[];
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  repeatPenalty: number;
  repeatLastN: number;
  seed: number;
  /** Stop strings, matched on decoded text. */
  stop: string[];
  /** GBNF; empty: none. */
  grammar: string;
  /** Do not stop at the end-of-generation tokens. */
  ignoreEos: boolean;
}

export type NativeGenerateEvent = { type: 'token'; token: number; text: string };

export interface NativeGenerateResult {
  text: string;
  tokens: Int32Array;
  promptTokens: number;
  generatedTokens: number;
  finishReason: 'eos' | 'stop' | 'length';
  timeToFirstTokenMs: number;
  promptMs: number;
  generationMs: number;
}

export interface NativeBenchOptions {
  promptTokens: number;
  generatedTokens: number;
  warmup: number;
  repetitions: number;
  threads: number;
  /** Optimizer steps in one repetition; 0: no training measurement. */
  trainSteps: number;
  /** A run of trainSteps * (warmup + repetitions) steps; null: no training measurement. */
  training: NativeTrainOptions | null;
}

export type NativeBenchEvent = {
  type: 'sample';
  kind: 'prompt' | 'generation' | 'training';
  repetition: number;
  warmup: boolean;
  tokens: number;
  ms: number;
};

export interface NativeBenchResult {
  samples: NativeBenchEvent[];
}

/** Speed of one shape of matrix product: `tokens` rows of activations times a weight [columns, rows]. */
export interface NativeProductSpeed {
  tokens: number;
  columns: number;
  rows: number;
  repetitions: number;
  bestGflops: number;
  medianGflops: number;
}

export interface NativePeak {
  /** What multiplied, e.g. 'oneDNN 2.6.3' or 'ggml'. */
  library: string;
  /** What was multiplied in: bf16 may have been asked for and not be there. */
  precision: NativePrecision;
  threads: number;
  /** Of the fastest shape. */
  bestGflops: number;
  medianGflops: number;
  shapes: NativeProductSpeed[];
}

export interface NativeCreateModelOptions {
  path: string;
  architecture: 'llama' | 'qwen3' | 'gemma3' | 'qwen3moe';
  name: string;
  vocabulary:
    | { from: string }
    | {
        /** Byte-level BPE ('gpt2'), pre-tokenizer by llama.cpp's name, e.g. 'qwen2'. */
        pre: string;
        tokens: string[];
        /** 1 normal, 3 control, 4 user defined (llama_token_attr's GGUF values). */
        tokenTypes: Int32Array;
        merges: string[];
        bosToken: number | null;
        eosToken: number;
        padToken: number | null;
        addBos: boolean;
      };
  chatTemplate: string;
  contextLength: number;
  embeddingLength: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headLength: number;
  feedForwardLength: number;
  /** Zero, like the next two, where the architecture has no experts. */
  experts: number;
  usedExperts: number;
  expertFeedForwardLength: number;
  ropeFrequencyBase: number;
  tieEmbeddings: boolean;
  /** ggml type name of the matrices ('F32', 'F16', 'Q8_0', 'Q4_K_M', …); norms stay F32. */
  type: string;
  /** Standard deviation of the initial weights. */
  initStd: number;
  seed: number;
}

export interface NativeRun<Result> {
  result: Promise<Result>;
  /** Take effect within one step (training) or one token (generation); `result` then rejects with code ABORTED. */
  abort(): void;
}

export type NativeLogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface Addon {
  /** GPU back ends that are linked in or lie in the folder; none once back ends are loaded. Loads nothing. */
  gpuBackends(folder: string): string[];
  /** Before anything else: the CPU's back end, RPC's, and these of GPUs. The first call in a process counts. */
  loadBackends(folder: string, gpus?: string[]): void;
  listDevices(options: { rpc: string[] }): Promise<NativeListedDevice[]>;
  systemInfo(): {
    llamaCpp: string;
    backends: string[];
    devices: NativeDevice[];
    physicalCores: number;
    matmul: NativeMatmul;
  };
  /** Fractions 0..1 of the weights read, in batches like every event; abortable. */
  loadModel(
    options: NativeLoadOptions,
    onProgress: (fractions: number[]) => void,
  ): NativeRun<NativeModel>;
  /** Lines that llama.cpp and ggml log; null: silent, which is the default. One logger per process. */
  setLogger(onLines: ((lines: { level: NativeLogLevel; line: string }[]) => void) | null): void;
  createModel(options: NativeCreateModelOptions): Promise<void>;
  quantizeModel(input: string, output: string, type: string, threads: number): Promise<void>;
  planTraining(options: NativeTrainOptions): NativeTrainPlan;
  estimateMemory(model: NativeModel, options: NativeTrainOptions): Promise<NativeMemoryEstimate>;
  /** Events arrive in batches, in order, from a bounded queue. */
  train(
    model: NativeModel,
    options: NativeTrainOptions,
    onEvents: (events: NativeTrainEvent[]) => void,
  ): NativeRun<NativeTrainResult>;
  generate(
    model: NativeModel,
    options: NativeGenerateOptions,
    onEvents: (events: NativeGenerateEvent[]) => void,
  ): NativeRun<NativeGenerateResult>;
  bench(
    model: NativeModel,
    options: NativeBenchOptions,
    onEvents: (events: NativeBenchEvent[]) => void,
  ): NativeRun<NativeBenchResult>;
  /** The matrix products of this machine; abortable between two of them. */
  measurePeak(options: {
    precision: NativePrecision;
    threads: number;
    library: 'fastest' | 'ggml';
  }): NativeRun<NativePeak>;
}

export interface NativeMatmul {
  /** The library for matrix products that is built in, e.g. 'CPU matrix products (oneDNN)'; null: ggml's own. */
  accelerator: string | null;
  /** Whether `precision: 'bf16'` runs on bfloat16 units of this CPU. */
  fastBf16: boolean;
}

/** What a device runs of a training step; the CPU does the rest in its place. */
export interface NativeTrainingSupport {
  /** ops of a step on F16 weights that it does not run. */
  missing: string[];
  /** Weight types with which it runs all that it runs with F16. */
  weightTypes: string[];
  otherWeightTypes: string[];
}

export interface NativeListedDevice extends NativeDevice {
  /** 'host:port' of an RPC server's device. */
  server: string | null;
  /** Whether `device: 'auto'` takes it. */
  automatic: boolean;
  /** null: an RPC server's device cannot be asked. */
  training: NativeTrainingSupport | null;
}

export interface NativeDevice {
  name: string;
  description: string;
  type: 'cpu' | 'gpu' | 'igpu' | 'accel';
  /** 'cpu', 'vulkan', 'cuda', 'hip', 'metal', 'rpc', … */
  backend: string;
  memoryFree: number;
  memoryTotal: number;
}
