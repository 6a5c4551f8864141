import type { SandboxJob, SandboxStep } from './job.js';
import { cleanEnvironment, quote, ulimits, variables, words } from './shell.js';

/** File descriptors of the script. Those of the steps follow: standard output and standard error of each. */
export const PARENT_PIPE = 3;
export const STATUS_PIPE = 4;
export const firstPipe = (step: number): number => 5 + 2 * step;

/** File descriptors have one digit in sh. */
export const MOST_STEPS = 2;

const BOX = '/answer/box';
const WORK = '/answer/work';
const OLD_ROOT = '/.old-root';
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Options of setpriv to become a user without groups. */
export const asUser = (user: number): string[] => [
  `--reuid=${user}`,
  `--regid=${user}`,
  '--clear-groups',
];

/** Paths of the system that programs and compilers read. Those that do not exist are left out. */
export const SYSTEM_FOLDERS: readonly string[] = [
  ...['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/nix/store', '/gnu/store'],
  ...['/etc/alternatives', '/etc/ld.so.cache'],
];

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom'] as const;

export interface IsolatedSetup {
  /** An existing folder that the root of the sandbox is mounted on, out of sight of other processes. */
  mountPoint: string;
  /** Whether the script has the rights of root outside of the sandbox too; programs run as `user`. */
  isRoot: boolean;
  /** User id of the programs, as seen in the namespace. */
  user: number;
}

/**
 * The script of pid 1 of the namespaces: makes a root file system in which only the box and the working directory can be
 * written, and runs the steps there. Everything that a program leaves behind ends with the script.
 */
export function isolatedScript(job: SandboxJob, setup: IsolatedSetup): string {
  return [
    'set -eu',
    `PATH=${SYSTEM_PATH}`,
    watchParent,
    ...rootFileSystem(job, setup),
    ...Object.entries(job.files).map(([name, text]) => writeFile(`${BOX}/${name}`, text)),
    ...job.steps.map((step, i) => writeFile(`${BOX}/.stdin-${i}`, step.stdin ?? '')),
    `chown -R ${setup.user}:${setup.user} ${BOX}`,
    ...job.steps.map((step, i) => runStep(job, setup, step, i)),
  ].join('\n');
}

/** When the pipe to the parent closes, because the parent was killed, pid 1 ends and the kernel kills the others. */
const watchParent = [
  "trap 'exit 137' TERM",
  `{ read -r _ || :; kill -TERM 1; } <&${PARENT_PIPE} >/dev/null 2>&1 ${closed([4, 5, 6, 7, 8])} &`,
].join('\n');

function rootFileSystem(job: SandboxJob, { mountPoint, user }: IsolatedSetup): string[] {
  const base = quote(mountPoint);
  const own = (step: SandboxStep | undefined): string =>
    `size=${step?.limits.diskBytes},nr_inodes=${step?.limits.files},mode=700,uid=${user},gid=${user},nosuid,nodev`;
  return [
    `base=${base}`,
    'mount -t tmpfs -o size=4m,mode=755 root "$base"',
    SHOW_FUNCTION,
    ...[...SYSTEM_FOLDERS, ...job.readable].map((path) => `show ${quote(path)}`),
    READ_ONLY,
    `for path in /dev /proc ${OLD_ROOT} ${BOX} ${WORK}; do mkdir -p "$base$path"; done`,
    ...DEVICES.flatMap((name) => [
      `: >"$base/dev/${name}"`,
      `mount --bind /dev/${name} "$base/dev/${name}"`,
    ]),
    'ln -s /proc/self/fd "$base/dev/fd"',
    // Unless tools are in /tmp.
    `[ -e "$base/tmp" ] || ln -s ${WORK} "$base/tmp"`,
    // Containers may forbid it; few programs need it.
    'mount -t proc -o nosuid,nodev,noexec proc "$base/proc" 2>/dev/null || :',
    // Shared memory of System V that nobody maps would not count as memory of a process.
    '{ echo 0 >"$base/proc/sys/kernel/shmall"; } 2>/dev/null || :',
    // The first step, which compiles, works in the box, and the last one in an empty folder.
    `mount -t tmpfs -o ${own(job.steps[0])} box "$base${BOX}"`,
    `mount -t tmpfs -o ${own(job.steps.at(-1))} work "$base${WORK}"`,
    'cd "$base"',
    `pivot_root . .${OLD_ROOT}`,
    'cd /',
    `umount -l ${OLD_ROOT}`,
    `rmdir ${OLD_ROOT}`,
    'mount -o remount,bind,ro,nosuid,nodev /',
  ];
}

/** Shows a file or folder of the system at the same path. */
const SHOW_FUNCTION = `show() {
  if [ -L "$1" ]; then
    mkdir -p "$base\${1%/*}"
    ln -s "$(readlink "$1")" "$base$1"
  elif [ -d "$1" ]; then
    mkdir -p "$base$1"
    mount --rbind "$1" "$base$1"
  elif [ -e "$1" ]; then
    mkdir -p "$base\${1%/*}"
    : >"$base$1"
    mount --bind "$1" "$base$1"
  fi
}`;

/** Makes all that is shown read-only. The kernel refuses to clear flags, so those of each mount are kept. */
const READ_ONLY = `cat /proc/self/mountinfo >"$base/mounts"
while read -r _ _ _ _ point options _; do
  case $point in
    "$base"/*) mount -o "remount,bind,ro,nosuid,nodev\${options#r[ow]}" "$point" ;;
  esac
done <"$base/mounts"
rm "$base/mounts"`;

/** A text in a script has no NUL characters, so printf makes them. */
const writeFile = (path: string, text: string): string => {
  const parts = text.split('\0').map((part) => `printf %s ${quote(part)}`);
  return `{ ${parts.join("; printf '\\0'; ")}; } >${quote(path)}`;
};

function runStep(
  job: SandboxJob,
  { isRoot, user }: IsolatedSetup,
  step: SandboxStep,
  index: number,
): string {
  const folder = index === job.steps.length - 1 ? WORK : BOX;
  const [out, err] = [firstPipe(index), firstPipe(index) + 1];
  const prefix = [
    ...['setpriv', '--no-new-privs', '--inh-caps=-all', '--bounding-set=-all'],
    ...(isRoot ? asUser(user) : []),
    ...cleanEnvironment({ ...variables(SYSTEM_PATH, folder), ...job.environment }),
  ];
  const commands = step
    .commands({ box: BOX, work: WORK })
    .map((command) => words([...prefix, ...command]));
  return [
    `echo 'start ${index}' >&${STATUS_PIPE}`,
    '(',
    ulimits(step.limits, { addressSpace: step.reservesMemory !== true }),
    `cd ${folder}`,
    commands.join(' && '),
    `) <${BOX}/.stdin-${index} >&${out} 2>&${err} ${closed([3, 4, 5, 6, 7, 8])} &`,
    'code=0',
    // The shell ends this wait, but not one for a foreground program, to run a trap.
    'wait $! || code=$?',
    `echo "end ${index} $code" >&${STATUS_PIPE}`,
    '[ $code = 0 ] || exit 0',
  ].join('\n');
}

/** Redirections that close these file descriptors. */
function closed(descriptors: readonly number[]): string {
  return descriptors.map((each) => `${each}>&-`).join(' ');
}
