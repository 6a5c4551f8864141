import { release } from 'node:os';
import { type SandboxMode, sandboxLimitsSchema } from '../config/sandbox.js';
import { LlamatuneError, reasonOf } from '../errors.js';
import { mayMakeNamespaces, runIsolated } from './isolated.js';

/** What a sandbox protects from, each by a name. */
export type SandboxProtection =
  | 'network'
  | 'files'
  | 'environment'
  | 'leftover-processes'
  | 'time'
  | 'cpu-time'
  | 'memory'
  | 'file-size'
  | 'processes'
  | 'open-files'
  | 'output';

/** What a sandbox of this mode does on this system. */
export interface SandboxCapabilities {
  mode: SandboxMode;
  /** Whether programs can be run in this mode. */
  available: boolean;
  /** Why not, or ''. */
  reason: string;
  provided: SandboxProtection[];
  /** What it does not protect from here, or not completely, each with the reason. */
  missing: { protection: SandboxProtection; reason: string }[];
}

/**
 * What each mode of the sandbox does on this system. The isolated one is tried out.
 */
export async function sandboxCapabilities(): Promise<SandboxCapabilities[]> {
  return [await isolatedCapabilities(), limitsCapabilities(), noneCapabilities()];
}

const ALL: readonly SandboxProtection[] = [
  ...(['network', 'files', 'environment', 'leftover-processes', 'time', 'cpu-time'] as const),
  ...(['memory', 'file-size', 'processes', 'open-files', 'output'] as const),
];

type Missing = Partial<Record<SandboxProtection, string>>;

function capabilities(mode: SandboxMode, reason: string, missing: Missing): SandboxCapabilities {
  const available = reason === '';
  return {
    mode,
    available,
    reason,
    provided: available ? ALL.filter((each) => missing[each] === undefined) : [],
    missing: ALL.flatMap((protection) => {
      const why = available ? missing[protection] : reason;
      return why === undefined ? [] : [{ protection, reason: why }];
    }),
  };
}

let isolated: Promise<SandboxCapabilities> | undefined;

function isolatedCapabilities(): Promise<SandboxCapabilities> {
  isolated ??= whyNotIsolated().then((reason) => capabilities('isolated', reason, {}));
  return isolated;
}

async function whyNotIsolated(): Promise<string> {
  if (process.platform !== 'linux') return `there are no namespaces on ${process.platform}`;
  const [major = 0, minor = 0] = release().split('.').map(Number);
  if (!mayMakeNamespaces() && (major < 5 || (major === 5 && minor < 14))) {
    return `Linux ${release()} limits processes only per user; 5.14 or newer is needed`;
  }
  try {
    const limits = sandboxLimitsSchema.parse({});
    const commands = () => [['/bin/sh', '-c', 'exit 7']];
    const [outcome] = await runIsolated({ files: {}, readable: [], steps: [{ commands, limits }] });
    if (outcome?.exitCode === 7) return '';
    return outcome?.stderr.trim() || `a first program ended with code ${outcome?.exitCode}`;
  } catch (error) {
    return reasonOf(error);
  }
}

/** What a program that runs as this user may do. */
const AS_USER: Missing = {
  network: 'programs may use the network',
  files: 'programs may read and write the files of this user',
  'leftover-processes': 'a process that leaves its process group stays',
};

function limitsCapabilities(): SandboxCapabilities {
  if (process.platform === 'win32') {
    return capabilities(
      'limits',
      'Windows has no resource limits for programs without native code',
      {},
    );
  }
  return capabilities('limits', '', {
    ...AS_USER,
    ...(process.getuid?.() === 0 ? { processes: 'it does not apply to root' } : {}),
    ...(process.platform === 'linux' ? {} : { memory: 'macOS does not enforce it' }),
  });
}

function noneCapabilities(): SandboxCapabilities {
  const reason = "not limited with sandbox: 'none'";
  return capabilities('none', '', {
    ...AS_USER,
    ...{ 'cpu-time': reason, 'file-size': reason, processes: reason, 'open-files': reason },
    ...(process.platform === 'linux' ? {} : { memory: reason }),
  });
}

/**
 * @throws LlamatuneError SANDBOX_UNAVAILABLE if this system cannot run programs in this mode
 */
export async function requireSandbox(mode: SandboxMode): Promise<void> {
  const found = (await sandboxCapabilities()).find((each) => each.mode === mode)!;
  if (found.available) return;
  throw new LlamatuneError(
    'SANDBOX_UNAVAILABLE',
    `cannot run code of answers with sandbox: '${mode}': ${found.reason}`,
    {
      hint:
        mode === 'isolated' && process.platform !== 'win32'
          ? "use a container or machine that allows namespaces, or set sandbox: 'limits' if you trust the code (docs/verifying.md)"
          : "use Linux, or set sandbox: 'none' if you trust the code as your own (docs/verifying.md)",
    },
  );
}
