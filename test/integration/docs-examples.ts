import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import { root } from './command-line.js';

/** The TypeScript blocks of a page in docs/, each with its number. */
export const examplesOf = (page: string): [number: number, code: string][] =>
  [...readFileSync(join(root, 'docs', page), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map(
    ([, code], i) => [i + 1, code!],
  );

/** Makes a folder of the repository, so that vitest compiles the modules in it, and a function that removes it. */
export function exampleFolder(name: string): { folder: string; remove: () => void } {
  const folder = join(root, '.cache', `${name}-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  return { folder, remove: () => rmSync(folder, { recursive: true }) };
}

/**
 * Runs a block as a module and returns what it logs.
 *
 * @param files paths to use instead of the quoted names in the block
 */
export async function runExample(
  file: string,
  code: string,
  files: Readonly<Record<string, string>>,
): Promise<unknown[][]> {
  const paths = { llamatune: join(root, 'src', 'index.js'), ...files };
  const text = Object.entries(paths).reduce(
    (module, [name, path]) => module.replaceAll(`'${name}'`, JSON.stringify(path)),
    `${code}\nexport {};\n`,
  );
  writeFileSync(file, text);
  const log = vi.spyOn(console, 'log').mockReturnValue();
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    await import(file);
    return log.mock.calls;
  } finally {
    vi.restoreAllMocks();
  }
}
