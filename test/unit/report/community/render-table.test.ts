import { describe, expect, it } from 'vitest';
import { renderCommunityTable } from '../../../../src/report/community/render-table.js';
import { machines } from './fixture.js';

// The golden files are read by people: look at them after a change, then npx vitest run test/unit/report -u

describe('renderCommunityTable', () => {
  it('writes Markdown', async () => {
    await expect(renderCommunityTable(machines, { format: 'markdown' })).toMatchFileSnapshot(
      'golden/table.md',
    );
  });

  it('writes text with tables in boxes', async () => {
    await expect(renderCommunityTable(machines, { format: 'text' })).toMatchFileSnapshot(
      'golden/table.txt',
    );
  });

  it('writes the same tables as a page and as JSON', () => {
    const document = JSON.parse(renderCommunityTable(machines, { format: 'json' }));
    const page = renderCommunityTable(machines, { format: 'html' });
    const [inference] = document.sections;
    expect(inference.title).toBe('Inference performance');
    for (const { title } of inference.blocks[0].columns) expect(page).toContain(`>${title}<`);
    const peak = inference.blocks[0].rows[0];
    expect(peak[0]).toEqual({ text: 'Peak t/s' });
    expect(peak.slice(1).map(({ text }: { text: string }) => text)).toContain('OOM');
  });

  it('compares only trials with the same settings', () => {
    const text = renderCommunityTable(machines, { format: 'markdown' });
    const tables = text.split('### base, full training').slice(1);
    expect(tables).toHaveLength(2);
    expect(tables[0]).toContain('phone');
    expect(tables[0]).not.toContain('two-devices cpu');
    expect(tables[1]).toContain('two-devices CUDA0');
  });
});

describe('key observations', () => {
  const text = renderCommunityTable(machines.slice(0, 2), { format: 'markdown' });

  it('name the fastest device and weights, and what did not fit', () => {
    expect(text).toContain('fast trains fastest with Q4\\_0: 5,120 tokens/s, 100 times as fast');
    expect(text).toContain('phone has no result with F32, Q8\\_0: OOM');
  });

  it('say nothing about a difference that the speed of the machine itself had', () => {
    const noisy = machines.slice(0, 2).map(({ name, results }) => ({
      name,
      results: {
        ...results,
        // one trial is enough: 11 * 11 is more than the ratio of the two machines
        trials: results.trials.map((trial, i) => ({
          ...trial,
          noise: { loadBefore: 0, peakBefore: i === 0 ? 40 : 440, peakAfter: 440 },
        })),
      },
    }));
    expect(renderCommunityTable(noisy, { format: 'text' })).not.toMatch(/fastest with/);
  });

  it('say nothing about speeds whose intervals overlap', () => {
    const [fast] = machines;
    const twins = ['a', 'b'].map((name) => ({ name, results: fast!.results }));
    expect(renderCommunityTable(twins, { format: 'text' })).not.toMatch(/ fastest with /);
  });
});
