import { describe, expect, it } from 'vitest';
import { type SuiteResults, suiteResultsSchema } from '../../../../src/bench/suite/results.js';
import { renderReport, reportFiles } from '../../../../src/report/suite/render-report.js';
import { results } from './fixture.js';

// The golden files are read by people: look at them after a change, then npx vitest run test/unit/report -u

describe('renderReport', () => {
  it('writes Markdown with the charts', async () => {
    const markdown = reportFiles(results).find(({ path }) => path === 'summary.md')!;
    await expect(markdown.text).toMatchFileSnapshot('golden/summary.md');
  });

  it('writes text with tables in boxes', async () => {
    await expect(renderReport(results, { format: 'text' })).toMatchFileSnapshot(
      'golden/summary.txt',
    );
  });

  it('writes a page that refers to nothing outside itself', async () => {
    const page = renderReport(results, { format: 'html' });
    const own = page.replace(/<script>\n?\/\*[\s\S]*?<\/script>/, '<script>chart library</script>');
    expect(own.length).toBeLessThan(page.length - 500_000);
    expect(own).not.toMatch(/(src|href)="(?!data:,)/);
    await expect(own).toMatchFileSnapshot('golden/report.html');
  });

  it('writes one SVG per chart, the same for the same results', () => {
    const charts = () => reportFiles(results).filter(({ path }) => path.endsWith('.svg'));
    expect(charts().length).toBeGreaterThan(5);
    for (const { text } of charts()) expect(text).toMatch(/^<svg[\s\S]*<\/svg>$/);
    expect(charts()).toEqual(charts());
  });

  it('writes JSON that its own schema accepts', () => {
    const json = JSON.parse(renderReport(results, { format: 'json' }));
    expect(suiteResultsSchema.parse(json)).toEqual(results);
  });

  it('writes a report of results without any trial', () => {
    const empty = { ...results, trials: [], finishedAt: null };
    for (const format of ['markdown', 'text', 'html'] as const) {
      expect(renderReport(empty, { format })).toContain('not finished');
    }
  });
});

describe('a report', () => {
  const text = renderReport(results, { format: 'text' });

  it('tells benchmarks of one title apart', () => {
    expect(text).toContain('  FINE-TUNING TIME: TRAINING\n');
    expect(text).toContain('  FINE-TUNING TIME: EXPERTS\n');
    expect(text).toContain('  METHODS COMPARED\n');
  });

  it('shows no losses of random weights or random tokens', () => {
    const random = (model: string, dataset: string | null) => {
      const trials = results.trials.map((trial) => ({
        ...trial,
        spec: { ...trial.spec, model, ...(trial.spec.kind === 'training' ? { dataset } : {}) },
      }));
      const report = renderReport({ ...results, trials } as SuiteResults, { format: 'markdown' });
      expect(report).toMatch(/Training loss \| n\/a \| n\/a \|/);
      expect(report).toMatch(/run 1 \|.*\| n\/a \|/);
      return report;
    };
    for (const report of [random('shape:qwen3-0.6b', 'rows.jsonl'), random('m.gguf', null)])
      expect(report).not.toContain('1.2500');
    expect(renderReport(results, { format: 'markdown' })).toContain('1.2500');
  });

  it('gives changes of a sweep with their interval', () => {
    expect(text).toMatch(/−10\.3 % \(−[\d.]+ to \+[\d.]+\)/);
  });
});

describe('key findings', () => {
  const findings = renderReport(results, { format: 'text' }).split('Key findings')[1]!;

  it('say what the numbers carry', () => {
    expect(findings).toContain('LoRA | 4-bit needs 58.1 % less memory than LoRA on F16');
    expect(findings).toContain('LoRA | 4-bit is 1.40 times slower per step');
    expect(findings).toContain('full did not finish: failed: UNSUPPORTED_OP');
  });

  it('say nothing about a difference that the machine itself had', () => {
    const baseline = results.trials.find(({ label }) => label === 'LoRA on F16')!;
    const slower = results.trials.find(({ label }) => label === 'LoRA | 4-bit')!;
    const reportOf = (peakAfter: number) => {
      const noise = { loadBefore: 0, peakBefore: 400, peakAfter };
      const trials = [{ ...baseline, noise }, slower];
      return renderReport({ ...results, trials }, { format: 'text' });
    };
    expect(reportOf(300)).toContain('1.40 times slower per step');
    expect(reportOf(280)).not.toContain('slower per step');
  });

  it('name the only device that a machine can have used', () => {
    const [trial] = results.trials;
    const nameIn = (devices: typeof results.machine.devices) =>
      renderReport(
        {
          ...results,
          machine: { ...results.machine, devices },
          trials: [{ ...trial!, spec: { ...trial!.spec, device: 'auto' } }],
        },
        { format: 'text' },
      );
    const [gpu] = results.machine.devices;
    expect(nameIn([])).toContain(' CPU (Q4_0) ');
    expect(nameIn([gpu!])).toContain(' CUDA0 (Q4_0) ');
    expect(nameIn([gpu!, gpu!])).toContain(' auto (Q4_0) ');
  });

  it('say nothing about a difference within the noise', () => {
    const baseline = results.trials.find(({ label }) => label === 'LoRA on F16')!;
    const same = { ...baseline, label: 'the same again' };
    const report = renderReport({ ...results, trials: [baseline, same] }, { format: 'text' });
    expect(report).not.toContain('Key findings');
  });
});
