import type { JudgeConfig } from '../config/judge.js';
import type { CallFiles, InputFile } from '../files/check.js';
import { modelFile } from '../files/run-files.js';

/** Every file and folder that a judge reads or writes. */
export function filesOfJudge({
  model,
  samples = [],
  pairs,
  check,
  output,
}: JudgeConfig): CallFiles {
  const sources = samples.map((source) => (typeof source === 'string' ? source : source.samples));
  const input = (field: string, path: unknown): InputFile[] =>
    typeof path === 'string' ? [{ field, path, kind: 'samples' }] : [];
  return {
    inputs: [
      ...modelFile(model),
      ...sources.flatMap((path, i) => input(`samples.${i}`, path)),
      ...input('pairs', pairs),
      ...(check === 'auto' || check === 'none' ? [] : input('check', check)),
    ],
    outputs: output === undefined ? [] : [{ field: 'output', path: output, kind: 'folder' }],
  };
}
