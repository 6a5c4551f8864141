import { describe, expect, it } from 'vitest';
import { type ExpertUseEvent, renderExpertUse } from '../../../src/report/expert-use.js';

/** A run whose first expert is used ever more, and whose last one is never used. */
function history(steps: number, layers: number, experts: number): ExpertUseEvent[] {
  return Array.from({ length: steps }, (_, i) => ({
    type: 'step',
    step: i + 1,
    experts: Array.from({ length: layers }, (_, layer) => ({
      layer,
      counts: Array.from({ length: experts }, (_, expert) =>
        expert === 0 ? 10 * (i + 1) : expert === experts - 1 ? 0 : 10,
      ),
    })),
  }));
}
/** The texts of a drawing. */
const texts = (svg: string) => Array.from(svg.matchAll(/>([^<>\n]+)<\/text>/g), ([, text]) => text);

describe('renderExpertUse', () => {
  it('draws a map per layer, the entropy and the unused experts, with axes, units and a legend', () => {
    const svg = renderExpertUse(history(20, 2, 8), { title: 'A & B' });
    expect(svg).toMatch(/^<svg[\s\S]*<\/svg>$/);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    expect(texts(svg)).toEqual(
      expect.arrayContaining([
        ...['A &amp; B', 'layer 0', 'layer 1', 'expert', 'bits', '%', 'optimizer step'],
        ...['Shares of the experts, 1 = equal use', 'Routing entropy'],
        ...['Experts without a token, of all layers', 'equal use', '0.8–1.25'],
      ]),
    );
  });

  it('gives a cell the color of its share', () => {
    const cells = (counts: number[]) => {
      const svg = renderExpertUse([{ type: 'step', step: 1, experts: [{ layer: 0, counts }] }]);
      const colors = svg.matchAll(/<path d="M[^"]*l[^"]*Z" fill="(#[0-9a-f]{6})"/g);
      return Array.from(colors, ([, color]) => color).slice(-new Set(counts).size);
    };
    // shares of 0, 1/4, 3/4 and 3 of the equal one, from the lowest to the highest
    expect(cells([0, 1, 3, 12])).toEqual(['#000000', '#2166ac', '#92c5de', '#f4943f']);
    expect(cells([4, 4, 4, 4])).toEqual(['#f1f1f1']);
  });

  it('draws some of many layers, says which, and stays small with 128 experts', () => {
    const svg = renderExpertUse(history(300, 48, 128));
    expect(texts(svg)).toEqual(
      expect.arrayContaining([
        'Shares of the experts, 1 = equal use (3 of 48 layers)',
        ...['layer 0', 'layer 24', 'layer 47', 'Routing entropy of all 48 layers'],
        ...['highest', 'mean', 'lowest'],
      ]),
    );
    expect(svg.length).toBeLessThan(400_000);
  });

  it('is the same for the same run, and dark on request', () => {
    const events = history(5, 1, 4);
    expect(renderExpertUse(events)).toBe(renderExpertUse(events));
    expect(renderExpertUse(events, { theme: 'dark' })).toContain('fill="#161b22"');
  });

  it('ignores other events, and fails without counted experts', () => {
    const events: ExpertUseEvent[] = [{ type: 'phase' }, { type: 'step', step: 1, experts: null }];
    expect(renderExpertUse([...events, ...history(2, 1, 2)])).toContain('layer 0');
    expect(() => renderExpertUse(events)).toThrow('the history has no step event with experts');
  });
});
