import type { ProductSpeed } from '../../src/contract/benchmark.js';
import type {
  CpuAccelerator,
  ExpertCounts,
  TensorInfo,
  TrainingSupport,
} from '../../src/contract/model.js';

// The parts of the contract that several of its types have.

/** The keys of T: all of them, or the type checker complains. */
export const keys = <T>(all: Record<keyof T, true>): string[] => Object.keys(all);
export const nested = (name: string, names: string[]): string[] =>
  names.map((key) => `${name}.${key}`);

export const device = {
  ...({ name: true, description: true, type: true, backend: true } as const),
  ...({ memoryFree: true, memoryTotal: true, fastBf16: true } as const),
};
export const experts = keys<ExpertCounts>({ layer: true, counts: true });
export const tensor = keys<TensorInfo>({ name: true, type: true, shape: true, bytes: true });
export const support = keys<TrainingSupport>({
  missing: true,
  weightTypes: true,
  otherWeightTypes: true,
  optimizers: true,
  otherOptimizers: true,
});
export const cpuAccelerator = keys<CpuAccelerator>({ description: true, fastBf16: true });
export const product = keys<ProductSpeed>({
  tokens: true,
  columns: true,
  rows: true,
  repetitions: true,
  bestGflops: true,
  medianGflops: true,
});
