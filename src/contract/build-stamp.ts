import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LlamatuneError } from '../errors.js';

/** Written by the build of dist/ (scripts/build-stamp.mjs); sources that run uncompiled have none. */
const stampFile = new URL('build-stamp.json', import.meta.url);

/**
 * Refuses an addon of another version of llamatune, or one that was built for another contract, whose fields would be read
 * wrong.
 *
 * @param found the stamp of the addon; undefined if it has none, as in old builds
 * @throws LlamatuneError ADDON_OUTDATED
 */
export function checkBuildStamp(
  found: string | undefined,
  file: string,
  packageRoot: string,
): void {
  const { version } = JSON.parse(readFileSync(`${packageRoot}/package.json`, 'utf8'));
  const stamp = existsSync(stampFile) ? recordedStamp() : (version as string);
  const [wantedVersion, wantedContract] = [version, stamp.split('+')[1]];
  const [foundVersion, foundContract] = (found ?? '').split('+');
  const isSameContract =
    wantedContract === undefined || foundContract === undefined || wantedContract === foundContract;
  if (foundVersion === wantedVersion && isSameContract) return;
  const builtFor =
    foundVersion === wantedVersion
      ? `other sources of llamatune ${version}`
      : `${foundVersion ? `llamatune ${foundVersion}` : 'an older llamatune'}, but this is ${version}`;
  throw new LlamatuneError(
    'ADDON_OUTDATED',
    `the native addon '${file}' was built for ${builtFor}`,
    {
      hint: 'build it again with "npm rebuild llamatune" (in a checkout: "npm run build")',
    },
  );
}

/** @throws LlamatuneError ADDON_OUTDATED if the file is damaged */
function recordedStamp(): string {
  const text = readFileSync(stampFile, 'utf8');
  const [, stamp] = /^\{"stamp":"([^"]+)"\}\s*$/.exec(text) ?? [];
  if (stamp !== undefined) return stamp;
  throw new LlamatuneError(
    'ADDON_OUTDATED',
    `the build stamp in '${fileURLToPath(stampFile)}' is damaged`,
    { hint: 'install llamatune again (in a checkout: "npm run build")' },
  );
}
