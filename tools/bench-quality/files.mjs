import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cellName } from './settings.mjs';

export const baseFile = (output, model, weights) =>
  path.join(output, 'models', `${model}-${weights}.gguf`);

export const adapterFile = (output, cell) => path.join(output, 'cells', `${cellName(cell)}.gguf`);

/** The JSON in the file. If there is none, runs `work` and writes what it resolves to. */
export async function kept(file, work) {
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8'));
  mkdirSync(path.dirname(file), { recursive: true });
  const value = await work();
  writeFileSync(`${file}.part`, `${JSON.stringify(value)}\n`);
  renameSync(`${file}.part`, file);
  return value;
}
