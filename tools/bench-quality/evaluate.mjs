import { rmSync } from 'node:fs';
import path from 'node:path';
import { adapterFile, baseFile, kept } from './files.mjs';
import { runScript } from './run-script.mjs';
import { cellName, WEIGHTS } from './settings.mjs';

/** The base model of each type of weights. */
export const baseCells = (models) =>
  models.flatMap((model) => WEIGHTS.map((weights) => ({ model, trainer: 'base', weights })));

/** Evaluates a cell, unless it is evaluated, in a separate process. */
export function evaluateCell(cell, { output, data, settings, prefix, embedder }) {
  const name = cellName(cell);
  return kept(path.join(output, 'evaluations', `${name}.json`), async () => {
    console.error(`${new Date().toISOString()} evaluating ${name}`);
    const samples = path.join(output, 'samples', name);
    // of an interrupted evaluation
    rmSync(samples, { recursive: true, force: true });
    return runScript(
      [...prefix, process.execPath, path.join(import.meta.dirname, 'evaluate-cell.mjs')],
      {
        ...{ cell, settings, data, samples, embedder },
        base: baseFile(output, cell.model, cell.weights),
        adapter: cell.trainer === 'base' ? undefined : adapterFile(output, cell),
      },
    );
  });
}
