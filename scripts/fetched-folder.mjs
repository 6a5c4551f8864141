/**
 * Folders in vendor/ that a build fills from packages. A folder is complete or absent, and made again if its source
 * changes.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const stampName = 'fetched.json';

/** Runs a command to its end, with its output in English. */
export function run(command, args, options = {}) {
  return spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    timeout: 60_000,
    ...options,
    env: { ...process.env, LC_ALL: 'C', ...options.env },
  });
}

/** The record of what `folder` was made from, or undefined if it is missing or incomplete. */
export function readStamp(folder) {
  try {
    return JSON.parse(fs.readFileSync(path.join(folder, stampName), 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * Makes `folder`, or says why it could not be made. An interrupted or failed call leaves nothing behind.
 *
 * @param {string} folder
 * @param {object} request
 * @param {string} request.what For the log, e.g. 'oneDNN 3.2.0 (40 MB)'.
 * @param {(work: string, made: string) => { reason?: string, stamp?: object }} request.fill Fills the folder `made`, with
 *   `work` for temporary files. The stamp is what readStamp() returns later.
 * @returns {{ folder?: string, reason?: string }}
 */
export function makeFolder(folder, { what, fill, log = console.log }) {
  const started = Date.now();
  log(`llamatune: fetching ${what} into vendor/${path.basename(folder)}; nothing is installed`);
  let work;
  try {
    // next to the target, so that the finished folder can be renamed to it
    fs.mkdirSync(path.dirname(folder), { recursive: true });
    work = fs.mkdtempSync(`${folder}-`);
    const made = path.join(work, 'made');
    fs.mkdirSync(made);
    const { reason, stamp } = fill(work, made);
    if (reason) return { reason };
    fs.writeFileSync(path.join(made, stampName), `${JSON.stringify(stamp, null, 2)}\n`);
    fs.rmSync(folder, { recursive: true, force: true });
    fs.renameSync(made, folder);
    log(`llamatune: fetched ${what} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    return { folder };
  } catch (error) {
    // another build may have made it in the meantime
    return readStamp(folder) ? { folder } : { reason: error.message };
  } finally {
    if (work) fs.rmSync(work, { recursive: true, force: true });
  }
}

/** Copies the license texts of packages to `target`/licenses, where they exist. */
export function copyLicenses(target, files) {
  fs.mkdirSync(path.join(target, 'licenses'), { recursive: true });
  for (const [name, file] of Object.entries(files)) {
    if (!fs.existsSync(file)) continue;
    fs.copyFileSync(fs.realpathSync(file), path.join(target, 'licenses', name));
  }
}
