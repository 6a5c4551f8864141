/**
 * npm run bench: examples/bench-device.mjs with the shipped model, or with the arguments given, e.g.
 * `npm run bench -- other.gguf results/`.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { root } from './native-build.mjs';

const given = process.argv.slice(2);
const models = path.join(root, 'models');
const shipped = fs.readdirSync(models).find((file) => file.endsWith('.gguf'));
const named = given.some((argument) => argument.endsWith('.gguf'));
const results = path.join(root, 'build', 'bench');
fs.mkdirSync(results, { recursive: true });

const { status } = spawnSync(
  process.execPath,
  [
    path.join(root, 'examples', 'bench-device.mjs'),
    ...(named ? given : [path.join(models, shipped), results, ...given]),
  ],
  { stdio: 'inherit' },
);
process.exitCode = status ?? 1;
