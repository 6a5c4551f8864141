import type { CreateModelConfig } from '../config/create-model.js';
import type { LoadModelConfig } from '../config/load-model.js';
import type { QuantizeModelConfig } from '../config/quantize-model.js';

export interface LoadOptions
  extends Pick<LoadModelConfig, 'model' | 'device' | 'rpc' | 'placement'> {
  /** Layers on the GPU (-1 = all). */
  gpuLayers: number;
  /** Fraction of the layers per device; empty: by free memory. */
  tensorSplit: number[];
  useMmap: boolean;
  /** Weights in the CPU's packed layouts: faster inference, cannot be trained. */
  repack: boolean;
}

/** A weight of a model. */
export interface TensorInfo {
  name: string;
  /** ggml's type, e.g. 'F32' or 'Q4_K'. */
  type: string;
  /** In ggml's order: shape[0] is the contiguous dimension. */
  shape: number[];
  bytes: number;
}

/** What a model file says about its model. */
export interface ModelInfo {
  architecture: string;
  name: string;
  /** llama.cpp's own description, e.g. 'qwen3 0.6B Q8_0'. */
  description: string;
  parameters: number;
  /** Of all weights. */
  bytes: number;
  contextLength: number;
  embeddingLength: number;
  layers: number;
  vocabularySize: number;
  chatTemplate: string | null;
  bosToken: number | null;
  eosToken: number | null;
  /** End-of-turn token, if the vocabulary has one. */
  eotToken: number | null;
  addBos: boolean;
  addEos: boolean;
  /** Whether several training samples may share a row: false for recurrent models, where state would leak between them. */
  canPack: boolean;
  /** Weight kinds that LoRA can target, e.g. 'attn_q', and how many tensors each has. */
  trainableTargets: Record<string, number>;
  tensors: TensorInfo[];
  /** Scalar values of the file, as text. */
  metadata: Record<string, string>;
}

/** What an adapter file holds, in the terms of the options of finetuneLora(). */
export interface AdapterInfo {
  architecture: string;
  /** null if the weights have different ranks. */
  rank: number | null;
  /** null if the ranks differ and the file has no alpha that fits them all. */
  alpha: number | null;
  /** null in files of other tools, whose alpha includes the factor of rsLoRA. */
  rsLora: boolean | null;
  parameters: number;
  weights: { name: string; rank: number }[];
  /** The base model that llamatune recorded; null in files of other tools. */
  base: { name: string; layers: number; embeddingLength: number; shapes: string } | null;
  /** Scalar values of the file, as text. */
  metadata: Record<string, string>;
}

export interface Device {
  /** e.g. 'CPU' or 'Vulkan0'. */
  name: string;
  /** The hardware's own name. */
  description: string;
  type: 'cpu' | 'gpu' | 'igpu' | 'accel';
  /** 'cpu', 'vulkan', 'cuda', 'hip', 'metal', 'rpc', … */
  backend: string;
  memoryFree: number;
  memoryTotal: number;
}

/** What a device can run of a training step; the CPU runs the rest in its place. */
export interface TrainingSupport {
  /** Ops of a step on F16 weights that the device cannot run. */
  missing: string[];
  /** Weight types with which it runs everything that it runs with F16. */
  weightTypes: string[];
  /** Weight types whose matrix products or gradients run on the CPU. */
  otherWeightTypes: string[];
}

export interface ListedDevice extends Device {
  /** 'host:port' of the RPC server that the device belongs to; null for this machine's. */
  server: string | null;
  /** Whether `device: 'auto'` uses it. */
  automatic: boolean;
  /** null: unknown, since RPC servers do not tell. */
  training: TrainingSupport | null;
}

/** Our training kernels for the CPU, in builds with oneDNN. */
export interface CpuAccelerator {
  /** With the library's version, e.g. 'CPU kernels with oneDNN 3.2.0'. */
  description: string;
  /** Whether the CPU has units for bfloat16, which `precision: 'bf16'` uses. */
  fastBf16: boolean;
}

/** What this machine offers to llamatune. */
export interface SystemInfo {
  /** Version of the llama.cpp that is built in. */
  llamaCpp: string;
  /** Back ends that are loaded, e.g. 'CPU', 'CUDA', 'Vulkan'. */
  backends: string[];
  devices: Device[];
  physicalCores: number;
  /** null in a build without oneDNN, which trains with ggml's CPU backend. */
  cpuAccelerator: CpuAccelerator | null;
}

/** With the defaults that depend on other options. */
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
