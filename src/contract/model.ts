import type { MergeAdapterConfig } from '../config/adapter-files.js';
import type { CreateModelConfig } from '../config/create-model.js';
import type { LoadModelConfig } from '../config/load-model.js';
import type { QuantizeModelConfig } from '../config/quantize-model.js';

/** Options of the addon's loadModel(). */
export interface LoadOptions extends Pick<LoadModelConfig, 'model' | 'device' | 'rpc'> {
  /** Layers on the GPU (-1 = all). */
  gpuLayers: number;
  /** Fraction of the layers per device; empty to split by free memory. */
  tensorSplit: number[];
  /** Regular expressions over the names of weights, and their devices. */
  placement: { pattern: string; device: string }[];
  useMmap: boolean;
  /** Repack the weights for the CPU: faster inference, but the model cannot be trained. */
  repack: boolean;
  /** Load only the tokenizer and the metadata; such a model can only tokenize. */
  vocabularyOnly: boolean;
}

/** A weight tensor of a model. */
export interface TensorInfo {
  name: string;
  /** The ggml type, e.g. 'F32' or 'Q4_K'. */
  type: string;
  /** In ggml order: shape[0] is the contiguous dimension. */
  shape: number[];
  bytes: number;
}

/** Description of a model, from the metadata and tensors of its file. */
export interface ModelInfo {
  architecture: string;
  name: string;
  /** The description by llama.cpp, e.g. 'qwen3 0.6B Q8_0'. */
  description: string;
  parameters: number;
  /** Size of all weights in bytes. */
  bytes: number;
  /** Maximum sequence length in tokens. */
  contextLength: number;
  /** Width of the residual stream (n_embd). */
  embeddingLength: number;
  layers: number;
  vocabularySize: number;
  chatTemplate: string | null;
  bosToken: number | null;
  eosToken: number | null;
  /** End-of-turn token, if the vocabulary has one. */
  eotToken: number | null;
  /** Tokens at which generation stops: EOS, end of turn and others. */
  endOfGenerationTokens: Int32Array;
  addBos: boolean;
  addEos: boolean;
  /** Whether packing is possible: false for recurrent models, whose state would leak from one sample to the next. */
  canPack: boolean;
  /** Weight kinds that LoRA can target, e.g. 'attn_q', and how many tensors each has. */
  trainableTargets: Record<string, number>;
  tensors: TensorInfo[];
  /** Scalar values of the file, as text. */
  metadata: Record<string, string>;
}

/** Contents of a LoRA adapter file; rank, alpha and rsLora as in the options of finetune(). */
export interface AdapterInfo {
  architecture: string;
  /** null if the weights have different ranks. */
  rank: number | null;
  /** null if the ranks differ and the file has no alpha that fits them all. */
  alpha: number | null;
  /** null in files of other tools, whose alpha already includes the rsLoRA factor sqrt(rank). */
  rsLora: boolean | null;
  parameters: number;
  weights: { name: string; rank: number }[];
  /** The base model as recorded by llamatune; null in files of other tools. `shapes` is a hash of all tensor shapes. */
  base: { name: string; layers: number; embeddingLength: number; shapes: string } | null;
  /** Scalar values of the file, as text. */
  metadata: Record<string, string>;
}

/** The LoRA pairs of an adapter file with their values, in F32. */
export interface AdapterValues {
  /** As in the file: the scale of a pair is alpha / rank, or 1 if alpha is 0. */
  alpha: number;
  rsLora: boolean | null;
  pairs: {
    /** Of the weight, e.g. 'blk.0.attn_q.weight'. */
    name: string;
    rank: number;
    /** 1 for a plain matrix. */
    experts: number;
    /** [experts][rank][inputs]; of token embeddings [vocabulary][rank] */
    a: Float32Array;
    /** [experts][outputs][rank] */
    b: Float32Array;
  }[];
}

/** A compute device; memory in bytes. */
export interface Device {
  /** e.g. 'CPU' or 'Vulkan0'. */
  name: string;
  /** Name of the hardware. */
  description: string;
  type: 'cpu' | 'gpu' | 'igpu' | 'accel';
  /** 'cpu', 'vulkan', 'cuda', 'hip', 'metal', 'rpc', … */
  backend: string;
  memoryFree: number;
  memoryTotal: number;
  /** Whether a GPU multiplies matrices in bfloat16 with sums in F32 if it is asked to, as `precision: 'bf16'` does. */
  fastBf16: boolean;
}

/** The parts of a training step that a device can run; the CPU runs the others. */
export interface TrainingSupport {
  /** Ops of the forward and backward pass on F16 weights that the device cannot run. */
  missing: string[];
  /** Weight types for which the device runs the same ops as for F16. */
  weightTypes: string[];
  /** Weight types whose matrix products or gradients run on the CPU. */
  otherWeightTypes: string[];
  /** Values of `optimizer.type` whose updates the device runs. */
  optimizers: string[];
  /** Values of `optimizer.type` whose updates run on the CPU. */
  otherOptimizers: string[];
}

/** A device as the addon lists it. */
export interface ListedDevice extends Device {
  /** 'host:port' of the RPC server that the device belongs to; null for a device of this machine. */
  server: string | null;
  /** Whether `device: 'auto'` uses it. */
  automatic: boolean;
  /** null for the devices of RPC servers, which do not report it. */
  training: TrainingSupport | null;
}

/** What the addon's device test needs. */
export interface DeviceTestOptions {
  device: string;
  /** Folder for temporary models. */
  folder: string;
}

/** A tiny model on a device compared with the CPU. Errors are relative to the CPU's values in F32. */
export interface DeviceTest {
  type: 'test';
  architecture: string;
  weightType: string;
  /** Error of the loss. */
  lossError: number;
  /** Error of the logits after a prompt and after each of the next tokens. */
  logitsError: number;
  /** The largest error of the gradient of a LoRA matrix. */
  gradientError: number;
  /** The LoRA matrix with that error. */
  worstGradient: string;
  /** Loss before and after a short training on one batch, nats. */
  firstLoss: number;
  lastLoss: number;
  /** Whether all errors are small and the loss fell. */
  passed: boolean;
}

/** llamatune's training kernels for the CPU, in builds with oneDNN. */
export interface CpuAccelerator {
  /** Includes the version of the library, e.g. 'CPU kernels with oneDNN 3.2.0'. */
  description: string;
  /** Whether the CPU has units for bfloat16, which `precision: 'bf16'` uses. */
  fastBf16: boolean;
}

/** Back ends, devices and CPU features of this machine. */
export interface SystemInfo {
  /** Version of the built-in llama.cpp. */
  llamaCpp: string;
  /** Loaded back ends, e.g. 'CPU', 'CUDA', 'Vulkan'. */
  backends: string[];
  devices: Device[];
  physicalCores: number;
  /** null in a build without oneDNN, which trains with ggml's CPU back end. */
  cpuAccelerator: CpuAccelerator | null;
  /** Names of the weight types that createModel() and quantizeModel() write. */
  weightTypes: string[];
}

/** Includes the defaults that depend on other options. */
export type CreateModelOptions = CreateModelConfig &
  Required<
    Pick<
      CreateModelConfig,
      | 'kvHeads'
      | 'headLength'
      | 'feedForwardLength'
      | 'experts'
      | 'expertsPerToken'
      | 'expertFeedForwardLength'
    >
  >;

export type QuantizeOptions = QuantizeModelConfig;

/** How often the router of one layer of a mixture of experts chose each expert. A dense model has no such layers. */
export interface ExpertCounts {
  /** From 0. */
  layer: number;
  /** By expert: one for each token that used it. */
  counts: number[];
}

export type MergeOptions = Pick<MergeAdapterConfig, 'adapter' | 'output' | 'type' | 'threads'>;

export interface MergeResult {
  /**
   * How much of the adapter's update is in the stored weights: 1 if nothing was lost, 0 if rounding to a coarse type removed
   * it. The mean of (stored − W) · D divided by that of D · D, with D = alpha / rank · B A.
   */
  keptUpdate: number;
}

/** Sent after each weight of a merged model is written. */
export interface MergeProgress {
  type: 'progress';
  /** Weights written. */
  done: number;
  /** Weights of the model. */
  total: number;
}
