import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { CliIo } from '../../../src/cli/io.js';
import { raftView } from '../../../src/cli/raft-view.js';
import type { RaftEvent } from '../../../src/raft/events.js';
import { metricsOf } from '../../../src/raft/metrics.js';
import { answersTo, sampleOf } from '../raft/samples.js';

const place = { stage: 'samples', cycle: 1 } as const;
const events: RaftEvent[] = [
  { type: 'plan', prompts: 2, evaluationPrompts: 2, cycles: 1, stages: 4, finished: 1 },
  { type: 'stage', ...place, attempt: 2 },
  { type: 'sample', ...place, done: 3, of: 4, etaMs: 65_000, sample: sampleOf() },
  {
    ...{ type: 'measured', ...place, tokensPerSecond: 123 },
    metrics: metricsOf([...answersTo(0, '+-'), ...answersTo(1, '--')], undefined),
  },
  { type: 'warning', code: 'NO_SAMPLES_KEPT', message: 'cycle 1 kept none' },
];

function shown(isTTY: boolean, json = false) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const io = { stdout, stderr: Object.assign(stderr, { isTTY, columns: 100 }) };
  const view = raftView(io as unknown as CliIo, json);
  for (const event of events) view.show(event);
  view.close();
  return { stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') };
}

describe('raftView', () => {
  it('writes a line for each stage, its result and each warning', () => {
    expect(shown(false).stderr.split('\n')).toEqual([
      '2 prompts, 1 cycle, 4 stages, 1 of them finished earlier',
      'cycle 1: samples (continued)',
      '  pass@1 25.0 %, pass@2 50.0 %, 123 tokens/s',
      'warning NO_SAMPLES_KEPT: cycle 1 kept none',
      '',
    ]);
  });

  it('shows a bar with the remaining time on a terminal', () => {
    expect(shown(true).stderr).toContain('3/4  ETA 1 min 05 s');
  });

  it('writes one object per event with --json, and nothing else', () => {
    const { stdout, stderr } = shown(true, true);
    expect(stderr).toBe('');
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).type),
    ).toEqual(events.map(({ type }) => type));
  });
});
