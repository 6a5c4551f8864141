import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';

/**
 * A command line that runs a command with a file system of this size mounted at `folder`, which only that command and its
 * children see.
 */
export const withSmallDisk = (folder: string, size: string, command: readonly string[]) => [
  ...['unshare', '--map-root-user', '--mount', 'sh', '-c'],
  ...[`mount -t tmpfs -o size=${size} tmpfs "$0" && exec "$@"`, folder, ...command],
];

/** Whether withSmallDisk() works here: on Linux, if users may make namespaces. */
export function canMountSmallDisk(): boolean {
  const [program = '', ...args] = withSmallDisk(tmpdir(), '64k', ['true']);
  return process.platform === 'linux' && spawnSync(program, args).status === 0;
}
