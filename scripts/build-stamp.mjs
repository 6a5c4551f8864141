/**
 * What the addon and the TypeScript that calls it were built from: the version of the package, and a hash of the contract
 * between the two (src/contract/addon.ts and what it imports there, without comments and white space).
 * src/contract/build-stamp.ts refuses an addon with another stamp.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const contract = path.join(root, 'src', 'contract');
const stampFile = path.join(root, 'dist', 'contract', 'build-stamp.json');

/** '0.1.0+1a2b3c4d5e6f'. */
export function buildStamp() {
  const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  // The npm package has no sources, but the stamp that they had.
  if (!fs.existsSync(contract)) return JSON.parse(fs.readFileSync(stampFile, 'utf8')).stamp;
  const hash = createHash('sha256').update(contractText('addon.ts'));
  return `${version}+${hash.digest('hex').slice(0, 12)}`;
}

/** A file of the contract, followed by the files that it imports from the same folder. */
function contractText(name, seen = new Set()) {
  if (seen.has(name)) return '';
  seen.add(name);
  const text = fs.readFileSync(path.join(contract, name), 'utf8');
  const imported = [...text.matchAll(/ from '\.\/([\w-]+)\.js'/g)];
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*|\s+/g, '');
  return code + imported.map(([, file]) => contractText(`${file}.ts`, seen)).join('');
}

/** Writes the stamp next to the compiled TypeScript. */
export function writeBuildStamp() {
  fs.writeFileSync(stampFile, `${JSON.stringify({ stamp: buildStamp() })}\n`);
}
