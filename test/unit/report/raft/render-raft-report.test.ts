import { describe, expect, it } from 'vitest';
import type { RaftSummary } from '../../../../src/raft/summary.js';
import { renderRaftReport } from '../../../../src/report/raft/render-raft-report.js';
import { metrics, stage, summaryOf } from './fixture.js';

const markdown = (summary: RaftSummary) => renderRaftReport(summary, { format: 'markdown' });

describe('the report of raft()', () => {
  it('has the tables of the guide', () => {
    const text = markdown(summaryOf());
    expect(text).toContain(
      '| Coder 0.5B | 32.0 % (22.0–42.0) | 32.0 % (22.0–42.0) | +0.0 points | 81.2 % → 87.5 % | 90.0 % → 90.0 % | 2 min 00 s | 6.50 Wh |',
    );
    expect(text).toContain('Baseline: 32.0 % compile, 81.2 % pass@1');
    expect(text).toContain('Cycle 1:  32.8 % compile, 80.0 % pass@1 (kept 21 samples, loss=0.444)');
    expect(text).toContain('Peak GPU Memory: 11.9 GB | Energy: 6.50 Wh');
  });

  it('says whether the change is beyond chance, and on which prompts', () => {
    expect(markdown(summaryOf())).toContain(
      'pass@1 went from 81.2 % to 87.5 % on 16 trained prompts (+6.3 points, 95 % interval −1.0 to +14.0, p = 0.210): a difference is not beyond chance.',
    );
    const heldOut = { name: 'test.jsonl', count: 1, hash: 'cd'.repeat(32) };
    const passAt1 = { n: 1, difference: 0.063, interval: null, p: 0.0001 };
    const change = { passAt1, compileRate: null, verdict: 'better' } as const;
    expect(markdown(summaryOf({ evaluationPrompts: heldOut, change }))).toContain(
      'on 1 held-out prompt (+6.3 points, too few prompts for an interval, p \\< 0.001): the final model is better, beyond chance.',
    );
  });

  it('marks time and energy that are lower bounds, and energy that was not measured', () => {
    const interrupted = { ...stage(metrics(0.8, 0.3)), attempts: 2 };
    expect(markdown(summaryOf({ baseline: interrupted }))).toContain(
      '| \\> 2 min 00 s | \\> 6.50 Wh |',
    );
    expect(markdown(summaryOf({ baseline: stage(metrics(0.8, 0.3), null) }))).toContain(
      '| 2 min 00 s | n/a |',
    );
  });

  it('shows no compile rates if nothing was compiled', () => {
    const plain = stage(metrics(0.5, null));
    const { cycles } = summaryOf();
    const none = summaryOf({
      ...{ baseline: plain, final: plain },
      cycles: cycles.map((cycle) => ({ ...cycle, samples: plain })),
      change: { ...summaryOf().change!, compileRate: null },
    });
    expect(markdown(none)).toContain('| Coder 0.5B | n/a | n/a | n/a | 50.0 % → 50.0 % |');
    expect(markdown(none)).toContain('| Answers of | prompts | answers | pass@1 |');
  });

  it('can be made of a run that has not finished', () => {
    const unstarted = { attempts: 0, finished: false, use: null, tokensPerSecond: null };
    const unfinished = summaryOf({ final: { ...unstarted, metrics: null }, change: null });
    for (const format of ['markdown', 'text', 'html', 'json'] as const) {
      expect(renderRaftReport(unfinished, { format })).toContain('Coder 0.5B');
    }
    expect(markdown(unfinished)).toContain('The run has not finished.');
  });
});
