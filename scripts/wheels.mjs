/** Packages that pip downloads: the user's own pip, so that its index, proxy and cache settings apply. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

function python(args, options) {
  return spawnSync(pythonWithPip(), args, { encoding: 'utf8', timeout: 600_000, ...options });
}

let found;
/** The Python that has pip, or undefined. */
function pythonWithPip() {
  found ??= ['python3', 'python'].find(
    (name) => spawnSync(name, ['-m', 'pip', '--version']).status === 0,
  );
  return found;
}

/**
 * Downloads wheels into `folder` and unpacks them into `folder`/unpacked.
 *
 * @param {{ package: string, sha256: string[] }[]} packages 'name==version', and the hashes of its files that will do
 * @returns {string | undefined} why that failed
 */
export function fetchWheels(packages, folder) {
  if (pythonWithPip() === undefined) return 'this system has no Python with pip';
  const requirements = path.join(folder, 'requirements.txt');
  const lines = packages.map((each) =>
    [each.package, ...each.sha256.map((hash) => `--hash=sha256:${hash}`)].join(' '),
  );
  fs.writeFileSync(requirements, `${lines.join('\n')}\n`);
  const { status, stderr, error } = python([
    ...['-m', 'pip', 'download', '--disable-pip-version-check', '--no-deps', '--require-hashes'],
    ...['--only-binary=:all:', '--dest', folder, '-r', requirements],
  ]);
  if (status !== 0) {
    const line = stderr?.split('\n').find((text) => text.startsWith('ERROR: '));
    return `pip: ${line?.slice('ERROR: '.length) ?? error?.message ?? 'the download failed'}`;
  }
  for (const wheel of fs.readdirSync(folder).filter((name) => name.endsWith('.whl'))) {
    const target = path.join(folder, 'unpacked');
    const unzipped = python(['-m', 'zipfile', '-e', path.join(folder, wheel), target]);
    if (unzipped.status !== 0) return `${wheel} could not be unpacked`;
  }
  return undefined;
}
