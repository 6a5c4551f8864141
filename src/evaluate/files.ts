import type { EvaluateConfig } from '../config/evaluate.js';
import type { CallFiles, InputFile } from '../files/check.js';
import { filesOfRun, modelFile } from '../files/run-files.js';

/** Every file that an evaluation reads, and its output folder. */
export function filesOfEvaluation(config: EvaluateConfig): CallFiles {
  const { systems, tasks, dataset, output } = config;
  const inputs = systems.flatMap(({ model, adapters, outputs }, i): InputFile[] => [
    ...withField(modelFile(model), `systems.${i}.model`),
    ...adapters.map(
      ({ path }): InputFile => ({
        field: `systems.${i}.adapters`,
        path,
        kind: 'adapter',
      }),
    ),
    ...(outputs === undefined
      ? []
      : [{ field: `systems.${i}.outputs`, path: outputs, kind: 'dataset' } as const]),
  ]);
  const embedders = tasks.flatMap((task, i) =>
    task.type === 'cosine' ? withField(modelFile(task.model), `tasks.${i}.model`) : [],
  );
  return {
    inputs: [...filesOfRun({ dataset }).inputs, ...inputs, ...embedders],
    outputs: output === undefined ? [] : [{ field: 'output', path: output, kind: 'folder' }],
  };
}

const withField = (files: readonly InputFile[], field: string): InputFile[] =>
  files.map((file) => ({ ...file, field }));
