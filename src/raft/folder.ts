import { join } from 'node:path';
import { namesIn } from '../files/folders.js';
import { REPORT_NAMES } from '../files/names.js';

/** The files of a run: the names that its folder has. */
export const raftFiles = (folder: string) => ({
  summary: join(folder, 'summary.json'),
  baseline: join(folder, 'baseline_samples.jsonl'),
  baselineHardware: join(folder, 'baseline_hardware.csv'),
  final: join(folder, 'final_samples.jsonl'),
  finalHardware: join(folder, 'final_hardware.csv'),
  cycle: (cycle: number) => {
    const inCycle = (name: string) => join(folder, `cycle_${cycle}`, name);
    return {
      samples: inCycle('samples.jsonl'),
      kept: inCycle('kept.jsonl'),
      hardware: inCycle('hardware.csv'),
      evaluation: inCycle('evaluation_samples.jsonl'),
      checkpoint: inCycle('checkpoint'),
      adapter: join(inCycle('checkpoint'), 'adapter.gguf'),
    };
  },
});
export type RaftFiles = ReturnType<typeof raftFiles>;

/** The names that a run writes into its folder, other than that of its summary, and folders named like those of cycles. */
export const raftNames = (folder: string): string[] => [
  ...['baseline_samples.jsonl', 'baseline_hardware.csv', 'final_samples.jsonl'],
  ...['final_hardware.csv', ...REPORT_NAMES],
  ...namesIn(folder).filter((name) => /^cycle_\d+$/.test(name)),
];
