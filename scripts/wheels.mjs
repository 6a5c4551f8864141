/** Packages that pip downloads: it is the user's pip, so its index, proxy and cache settings apply. Nothing is installed. */
import fs from 'node:fs';
import path from 'node:path';
import { run } from './fetched-folder.mjs';

/** The Python that has pip, or undefined. */
const pythonWithPip = () =>
  ['python3', 'python'].find((name) => run(name, ['-m', 'pip', '--version']).status === 0);

/**
 * Downloads wheels into `folder` and unpacks all of them into one folder there.
 *
 * @param {{ package: string, sha256: string | string[] }[]} packages 'name==version' with the hashes of its accepted files
 * @returns {{ unpacked?: string, reason?: string }} The folder with the contents, or why the download failed.
 */
export function fetchWheels(packages, folder) {
  const python = pythonWithPip();
  if (!python) return { reason: 'this system has no Python with pip' };
  const requirements = path.join(folder, 'requirements.txt');
  const lines = packages.map((each) =>
    [each.package, ...[each.sha256].flat().map((hash) => `--hash=sha256:${hash}`)].join(' '),
  );
  fs.writeFileSync(requirements, `${lines.join('\n')}\n`);
  const args = [
    ...['-m', 'pip', 'download', '--disable-pip-version-check', '--no-deps', '--require-hashes'],
    ...['--only-binary=:all:', '--dest', folder, '-r', requirements],
  ];
  const { status, stderr, error } = run(python, args, { timeout: 600_000 });
  if (error) return { reason: `pip did not finish: ${error.message}` };
  if (status !== 0) {
    const line = stderr.split('\n').find((text) => text.startsWith('ERROR: '));
    return { reason: `pip: ${line?.slice('ERROR: '.length) ?? 'the download failed'}` };
  }
  const unpacked = path.join(folder, 'unpacked');
  for (const wheel of fs.readdirSync(folder).filter((name) => name.endsWith('.whl'))) {
    const { status } = run(python, ['-m', 'zipfile', '-e', path.join(folder, wheel), unpacked]);
    if (status !== 0) return { reason: `${wheel} could not be unpacked` };
  }
  return { unpacked };
}
