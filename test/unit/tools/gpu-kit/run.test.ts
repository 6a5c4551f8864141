import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const tool = fileURLToPath(new URL('../../../../tools/gpu-kit', import.meta.url));

interface Part {
  name: string;
  exit: number | null;
  result: Record<string, unknown> | null;
  log?: string;
}

interface Run {
  exit: number | null;
  output: string;
  results: { device: string; parts: Part[] };
  part: (name: string) => Part | undefined;
}

/**
 * Programs with the interface of the kit's. TRAIN, CHECK and TESTS replace a command of the benchmark, of peft-bench.py and of the
 * native tests.
 */
const programs = {
  'llamatune-gpu-bench': `
case $1 in
  devices) [ -z "\${NO_GPU:-}" ] || { echo "driver too old" >&2; exit 1; }; echo '[{"name":"CPU"}, {"name":"CUDA0"}]' ;;
  train) eval "\${TRAIN:-:}"; echo '{"tokensPerSecond":2.5,"model":"tiny"}'; echo '[W1128] a warning' ;;
  generate) echo '{"generatedTokensPerSecond":3}' ;;
esac`,
  'llamatune-native-tests': `
if [ "$1" = --list ]; then printf '%s\\n' one two three four; exit; fi
status=0
for name; do
  eval "\${TESTS:-:}"
  echo "ok      $name (1 ms)"
done
exit $status`,
  'make-arch-models': 'while [ "$1" != -o ]; do shift; done; touch "$2/llama-dense.gguf"',
};

describe.skipIf(process.platform !== 'linux')('run.sh', () => {
  let folder = '';
  let kit = '';

  const script = (path: string, text: string) => {
    writeFileSync(path, `#!/usr/bin/env bash\n${text}\n`);
    chmodSync(path, 0o755);
  };

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'llamatune-test-kit-'));
    kit = join(folder, 'kit');
    const staging = join(folder, 'staging');
    for (const made of [kit, join(staging, 'bin'), join(staging, 'cuda'), join(folder, 'bin')]) {
      mkdirSync(made, { recursive: true });
    }
    for (const [name, text] of Object.entries(programs)) script(join(staging, 'bin', name), text);
    writeFileSync(join(staging, 'cuda', 'libggml-cuda.so'), '');
    execFileSync('tar', ['-C', staging, '-cJf', join(kit, 'programs.tar.xz'), '.']);
    cpSync(join(tool, 'run.sh'), join(kit, 'run.sh'));
    writeFileSync(join(kit, 'version'), '1.0\n');
    const check = `[ "$2" != --check ] || { eval "\${CHECK:-:}"; echo '{"usable": false, "reason": "no PEFT"}'; }`;
    script(join(folder, 'bin', 'python3'), check);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const start = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    spawn(join(kit, 'run.sh'), args, {
      env: { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}`, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });

  async function finished(child: ReturnType<typeof start>, output: string): Promise<Run> {
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => (text += data));
    const exit = await new Promise<number | null>((resolve) => child.on('exit', resolve));
    const results = JSON.parse(readFileSync(join(output, 'results.json'), 'utf8'));
    const part = (name: string) => results.parts.find((each: Part) => each.name === name);
    return { exit, output: text, results, part };
  }

  /** A dry run on the device CUDA0. */
  const dryRun = (env: NodeJS.ProcessEnv = {}, args: readonly string[] = []): Promise<Run> => {
    const output = join(folder, 'results');
    const child = start(['--dry-run', '--device', 'cuda', '--output', output, ...args], env);
    return finished(child, output);
  };

  it('writes the results of all parts', async () => {
    const { exit, results, part } = await dryRun();
    expect(results.parts.map(({ name }) => name)).toEqual([
      ...['device', 'models of one architecture', 'gradient rules on cuda', 'peft'],
      ...['train tiny 2x64', 'profile tiny 2x64', 'generate tiny'],
    ]);
    expect(results.parts.every((each) => each.exit === 0)).toBe(true);
    expect(part('gradient rules on cuda')?.result).toMatchObject({
      tests: 4,
      passed: 4,
      failed: 0,
    });
    expect(part('train tiny 2x64')?.result).toEqual({ tokensPerSecond: 2.5, model: 'tiny' });
    expect(part('peft')?.result).toEqual({ usable: false, reason: 'no PEFT' });
    expect(exit).toBe(0);
  });

  it('continues after a part that fails, and says why', async () => {
    const { exit, part } = await dryRun({
      TRAIN: 'echo "CUDA error: \\"out of memory\\"" >&2; exit 3',
    });
    expect(part('train tiny 2x64')).toMatchObject({
      exit: 3,
      result: null,
      log: 'CUDA error: "out of memory"',
    });
    expect(part('generate tiny')).toMatchObject({ exit: 0 });
    expect(exit).toBe(1);
  });

  it('ends in time if a part hangs, with what the part has reported', async () => {
    // Ignores SIGTERM, and leaves a process in another session that keeps its standard output. Waiting for that process
    // would take longer than this test may.
    const hang = `echo '{"tokensPerSecond":1}'; setsid sleep 100 & trap "" TERM; while :; do sleep 1; done`;
    const { exit, part } = await dryRun({ TRAIN: hang }, ['--minutes', '0.3']);
    expect(part('train tiny 2x64')).toMatchObject({ exit: 137, result: { tokensPerSecond: 1 } });
    expect(part('generate tiny')).toMatchObject({ exit: null, log: 'no time left' });
    expect(exit).toBe(1);
  }, 90_000);

  it('limits the search for PEFT', async () => {
    const { part } = await dryRun({ CHECK: 'sleep 1000' }, ['--minutes', '0.25']);
    expect(part('peft')).toMatchObject({ exit: 124, result: null });
  }, 90_000);

  it('runs tests once more that failed or did not run because a process ended', async () => {
    const crash = '[ $name != two ] || kill -SEGV $$; ';
    const { exit, part } = await dryRun({ TESTS: crash });
    expect(part('gradient rules on cuda')?.result).toMatchObject({ passed: 3, failed: 1 });
    expect(part('gradient rules on cuda')?.result?.failures).toContain('two: exit 139');
    expect(exit).toBe(1);
    // all tests of a process fail after a fault
    const fault =
      'if [ $name = one ] || [ $status = 1 ]; then status=1; echo "FAILED  $name"; continue; fi';
    expect((await dryRun({ TESTS: fault })).part('gradient rules on cuda')?.result).toMatchObject({
      passed: 3,
      failed: 1,
    });
  });

  it('says why a device cannot be used', async () => {
    const { exit, results, output } = await dryRun({ NO_GPU: '1' });
    expect(results.parts).toMatchObject([
      { name: 'cuda', exit: 1, result: { problem: expect.stringContaining('driver too old') } },
    ]);
    expect(output).toContain('nothing was measured');
    expect(exit).toBe(1);
  });

  it('keeps the results when it is interrupted', async () => {
    const output = join(folder, 'interrupted');
    const args = ['--dry-run', '--device', 'cuda', '--output', output];
    const child = start(args, { TRAIN: 'sleep 1000' });
    child.stdout.on('data', (data) => String(data).includes('train tiny') && child.kill('SIGTERM'));
    const { exit, part } = await finished(child, output);
    expect(part('gradient rules on cuda')).toMatchObject({ exit: 0 });
    expect(exit).toBe(130);
  });

  it.each([
    [['--device'], '--device needs a value'],
    [['--output', '--dry-run'], '--output needs a value'],
    [['--minutes'], '--minutes needs a value'],
    [['--minutes', 'nine'], 'expected --minutes to be a number but received nine'],
    [['--device', 'tpu'], 'expected --device cuda, vulkan or cpu but received tpu'],
    [['--fast'], 'unknown argument: --fast'],
  ])('refuses the arguments %j', async (args, message) => {
    const child = start(args);
    let text = '';
    child.stderr.on('data', (data) => (text += data));
    expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(2);
    expect(text).toMatch(new RegExp(`^run\\.sh: ${message}\\nusage: run\\.sh`));
  });
});
