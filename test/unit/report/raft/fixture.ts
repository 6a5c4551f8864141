import type { RaftMetrics } from '../../../../src/raft/metrics.js';
import type { RaftSummary, SampledStage } from '../../../../src/raft/summary.js';

const estimate = (value: number, interval: [number, number] | null = null) => ({ value, interval });

export const metrics = (passAt1: number, compile: number | null): RaftMetrics => ({
  prompts: 16,
  samples: 8,
  compileRate: compile === null ? null : estimate(compile, [compile - 0.1, compile + 0.1]),
  passAt: { '1': estimate(passAt1, [passAt1 - 0.1, passAt1 + 0.1]), '8': estimate(0.9) },
  meanScore: estimate(passAt1),
  passed: 10,
  truncated: 3,
  failedPrompts: 0,
});

const use = (energyWh: number | null) => ({
  ...{ seconds: 30, energyWh, averagePowerW: energyWh, gpuMemoryBytes: 11.9e9 },
});

export const stage = (of: RaftMetrics, energyWh: number | null = 1.5): SampledStage => ({
  ...{ attempts: 1, finished: true, use: use(energyWh), tokensPerSecond: 220, metrics: of },
});

export function summaryOf(more: Partial<RaftSummary> = {}): RaftSummary {
  return {
    format: 'llamatune-raft',
    version: 1,
    options: { cycles: 1, filter: { select: 'passing' } },
    model: {
      path: 'm.gguf',
      name: 'Coder 0.5B',
      description: 'qwen2',
      parameters: 5e8,
      bytes: 5e8,
    },
    verifier: 'run',
    prompts: { name: 'cpp', count: 16, hash: 'ab'.repeat(32) },
    evaluationPrompts: null,
    machine: {
      ...{ cpu: 'CPU', cores: 2, memoryBytes: 1e9, platform: 'linux-x64', os: 'Linux' },
      ...{ instructionSets: [], environment: {}, devices: [] },
    },
    versions: { llamatune: '0.1.0' },
    sensors: [{ source: 'nvidia-smi', problem: null }],
    startedAt: '2026-11-28T10:00:00.000Z',
    finishedAt: '2026-11-28T11:00:00.000Z',
    baseline: stage(metrics(0.812, 0.32)),
    cycles: [
      {
        cycle: 1,
        samples: stage(metrics(0.8, 0.328)),
        filter: {
          ...{ samples: 128, notSelected: 100, empty: 0, truncated: 3, duplicates: 3, overMost: 1 },
          ...{ unbalanced: 0, kept: 21, promptsKept: 9 },
        },
        training: {
          ...{ attempts: 1, finished: true, use: use(2), tokensPerSecond: 300, loss: 0.444 },
          ...{ steps: 3, learningRate: 1e-4, peakMemoryBytes: 2e9 },
        },
        evaluation: null,
      },
    ],
    final: stage(metrics(0.875, 0.32)),
    change: {
      passAt1: { n: 16, difference: 0.063, interval: [-0.01, 0.14], p: 0.21 },
      compileRate: { n: 16, difference: 0, interval: [-0.05, 0.05], p: 1 },
      verdict: 'no difference',
    },
    adapter: 'cycle_1/checkpoint/adapter.gguf',
    ...more,
  };
}
