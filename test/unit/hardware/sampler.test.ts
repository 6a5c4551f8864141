import { totalmem } from 'node:os';
import { describe, expect, it } from 'vitest';
import { reading } from '../../../src/hardware/reading.js';
import { HardwareSampler } from '../../../src/hardware/sampler.js';
import { polledSource } from '../../../src/hardware/source.js';

const fails = polledSource('broken', async () => {
  throw new Error('it is broken');
});

describe('HardwareSampler', () => {
  it('reads whatever this machine has', async () => {
    await using sampler = await HardwareSampler.start({ intervalMs: 50 });
    expect(sampler.sources).toContainEqual({ source: 'system', problem: null });
    const states = await sampler.latest();
    const cpu = states.find(({ source }) => source === 'system')!;
    expect(cpu.memoryTotal).toBe(totalmem());
    expect(cpu.memoryUsed).toBeGreaterThan(0);
    expect(cpu.utilization).toBeGreaterThanOrEqual(0);
    expect(cpu.utilization).toBeLessThanOrEqual(1);
    for (const { power } of states) expect(power ?? 0).toBeGreaterThanOrEqual(0);
  });

  it('gives every reading once, in the order of their times', async () => {
    const source = (name: string, delay: number) =>
      polledSource(name, async () => async () => {
        const found = reading({ source: name, device: 'a', scope: 'gpu', power: 1 });
        await new Promise((resolve) => setTimeout(resolve, delay));
        return [found];
      });
    const sources = [source('slow', 30), source('fast', 0)];
    await using sampler = await HardwareSampler.start({ sources, intervalMs: 5 });
    await sampler.latest();
    const found = sampler.take();
    const times = found.map(({ time }) => time);
    expect(times.length).toBeGreaterThan(3);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    await sampler.latest();
    expect(sampler.take().filter((each) => found.includes(each))).toEqual([]);
  });

  it('says why a source cannot be used, and reads the others', async () => {
    const works = polledSource('works', async () => async () => []);
    const absent = polledSource('absent', async () => null);
    await using sampler = await HardwareSampler.start({ sources: [fails, works, absent] });
    expect(sampler.sources).toEqual([
      { source: 'broken', problem: 'it is broken' },
      { source: 'works', problem: null },
    ]);
  });

  it('stops reading a source that fails three times in a row', async () => {
    let reads = 0;
    const source = polledSource('flaky', async () => async () => {
      reads += 1;
      if (reads > 1 && reads !== 3) throw new Error('not now');
      return [reading({ source: 'flaky', device: 'a', scope: 'gpu', power: reads })];
    });
    await using sampler = await HardwareSampler.start({ sources: [source], intervalMs: 1 });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(reads).toBe(6);
    expect(sampler.take()).toHaveLength(2);
    expect(await sampler.latest()).toEqual([]);
  });

  it('keeps no process alive and reads nothing after it is closed', async () => {
    let reads = 0;
    const source = polledSource('counted', async () => async () => {
      reads += 1;
      return [];
    });
    const sampler = await HardwareSampler.start({ sources: [source], intervalMs: 1 });
    await sampler.close();
    const before = reads;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(reads).toBe(before);
  });
});
