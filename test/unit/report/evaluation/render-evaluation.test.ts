import { describe, expect, it } from 'vitest';
import { renderEvaluation } from '../../../../src/report/evaluation/render-evaluation.js';
import { results } from './fixture.js';

describe('renderEvaluation', () => {
  it('writes Markdown and text', async () => {
    const golden = (format: 'markdown' | 'text', extension: string) =>
      expect(renderEvaluation(results, { format })).toMatchFileSnapshot(
        `golden/evaluation.${extension}`,
      );
    await golden('markdown', 'md');
    await golden('text', 'txt');
  });

  it('writes a page that escapes what the data has, and refers to nothing outside itself', () => {
    const page = renderEvaluation(results, { format: 'html' });
    expect(page).toContain('it has no &lt;reference&gt;');
    // the charts' library names some addresses
    const withoutScripts = page.replaceAll(/<script>[\s\S]*?<\/script>/g, '');
    expect(withoutScripts).not.toMatch(/(src|href)="(?!data:,)/);
    expect(withoutScripts).toContain('Results with 95 % intervals');
  });

  it('draws no measure that can be above 1', () => {
    const only = results.measures.filter(({ name }) => name === 'perplexity');
    const page = renderEvaluation(
      { ...results, measures: only, comparisons: [] },
      { format: 'html' },
    );
    expect(page.includes('Results with 95 % intervals')).toBe(false);
  });

  it('writes JSON that is the results, without samples', () => {
    const text = renderEvaluation({ ...results, samples: {} } as never, { format: 'json' });
    expect(JSON.parse(text)).toEqual(results);
  });
});
