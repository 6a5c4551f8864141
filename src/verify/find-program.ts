import { execFile } from 'node:child_process';
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const windows = process.platform === 'win32';

/** The path of the first of these programs that PATH has; undefined if it has none. */
export function findProgram(names: readonly string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const paths = names.flatMap((name) =>
    folders.map((folder) => join(folder, windows ? `${name}.exe` : name)),
  );
  return paths.find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The folder above the folder of a program, without symbolic links. */
export const prefixOf = (program: string): string => dirname(dirname(realpathSync(program)));

/** The folders that a program and its libraries are in. Never the whole home of the user, for a program in ~/bin. */
export function prefixesOf(program: string): string[] {
  const prefix = prefixOf(program);
  const isTooMuch = prefix === homedir() || dirname(prefix) === prefix;
  return [dirname(program), isTooMuch ? dirname(realpathSync(program)) : prefix];
}

/** What a program of a toolchain writes to standard output, without white space at its ends. */
export async function ask(
  program: string,
  args: readonly string[],
  timeoutMs = 30_000,
): Promise<string> {
  const { stdout } = await promisify(execFile)(program, [...args], {
    timeout: timeoutMs,
    maxBuffer: 64 * 1024 * 1024,
    windowsHide: true,
  });
  return stdout.trim();
}
