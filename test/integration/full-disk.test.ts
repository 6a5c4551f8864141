// A training whose output does not fit on its disk: refused if that is known, saved elsewhere if not.
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { describeAdapter } from '../../src/index.js';
import { folderPerTest } from '../folder-per-test.js';
import { canMountSmallDisk, withSmallDisk } from '../small-disk.js';
import { root } from './command-line.js';
import { tinyModel } from './tiny-model.js';

const at = folderPerTest();
let model: string;
beforeAll(async () => {
  model = await tinyModel();
});

/** Runs a Node script with a disk of this size at `disk`; temporary files go to another one. */
async function onSmallDisk(size: string, script: string, ...args: string[]) {
  for (const name of ['disk', 'tmp']) mkdirSync(at(name));
  const command = [process.execPath, join(root, script), ...args];
  const [program = '', ...rest] = withSmallDisk(at('disk'), size, command);
  const child = spawn(program, rest, { env: { ...process.env, TMPDIR: at('tmp') } });
  const text = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (data: string) => {
      text[stream] += data;
    });
  }
  const exit = await new Promise((resolve) => child.on('close', resolve));
  return { exit, ...text };
}

describe.skipIf(!canMountSmallDisk())('a disk without space', () => {
  it('for the output is refused before the first step, with both sizes', async () => {
    const { exit, stdout, stderr } = await onSmallDisk(
      ...(['64k', 'dist/cli/main.js', 'finetune', '--model', model] as const),
      ...['--dataset', join(root, 'examples/demo/data/train.jsonl')],
      ...['--output', at('disk/adapter.gguf'), '--overlength', 'truncate'],
      ...['--sequenceLength', '64', '--maxSteps', '1', '--lora.rank', '16', '--threads', '1'],
    );
    expect({ exit, stderr }).toEqual({
      exit: 1,
      stderr: expect.stringMatching(
        /error OUTPUT_NOT_WRITABLE: .*needs at least 0\.\d MB, but only 0\.\d MB are free\nhint: free some space/,
      ),
    });
    expect(stdout).not.toContain('step 1');
  });

  it('at the end saves the adapter elsewhere and says where', async () => {
    const { stdout, stderr } = await onSmallDisk(
      ...(['1m', 'test/integration/fill-disk.mjs', model, at('disk/adapter.gguf')] as const),
    );
    expect(stderr).toBe('');
    const { code, message, hint } = JSON.parse(stdout) as Record<string, string>;
    expect(code).toBe('OUTPUT_NOT_WRITABLE');
    expect(message).toContain('No space left on device; the trained adapter was saved to');
    expect(hint).toContain('nothing is lost');
    const path = /was saved to '(.*)'/.exec(message ?? '')?.[1] ?? '';
    expect(path.startsWith(at('tmp'))).toBe(true);
    expect((await describeAdapter(path)).rank).toBe(8);
    expect(readdirSync(at('tmp'))).toHaveLength(1); // and no other temporary file
  });

  it.each([
    ['full', { code: 'OUTPUT_NOT_WRITABLE', savedElsewhere: true, output: 'an older adapter' }],
    [
      'read-only',
      { code: 'OUTPUT_NOT_WRITABLE', savedElsewhere: true, output: 'an older adapter' },
    ],
    ['removed', { code: 'none', output: 'new' }],
  ] as const)(
    'that is %s during a run leaves the last checkpoint and the output',
    async (how, expected) => {
      mkdirSync(at('elsewhere'));
      const { stdout, stderr } = await onSmallDisk(
        ...([
          '2m',
          'test/integration/lose-disk.mjs',
          model,
          at('disk'),
          at('elsewhere'),
          how,
        ] as const),
      );
      expect(stderr).toBe('');
      const report = JSON.parse(stdout) as Record<string, unknown>;
      expect(report).toMatchObject({ ...expected, resumedEqually: true });
      expect(report.resumedFrom).toBe(report.lastCheckpoint);
      // a run log that is open stays writable on a disk that becomes read-only
      const lost = {
        full: ['CHECKPOINT_NOT_WRITTEN', 'OUTPUT_NOT_WRITABLE'],
        'read-only': ['CHECKPOINT_NOT_WRITTEN'],
        removed: [],
      }[how];
      expect([...new Set(report.warnings as string[])].sort()).toEqual(lost);
      if (how !== 'removed') expect(report.lastCheckpoint).toBeLessThan(60);
    },
  );
});
