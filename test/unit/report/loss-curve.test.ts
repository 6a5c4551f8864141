import { describe, expect, it } from 'vitest';
import {
  type LossCurveEvent,
  renderLossCurve,
  renderLossCurveHtml,
} from '../../../src/report/loss-curve.js';

function history(steps: number): LossCurveEvent[] {
  const events: LossCurveEvent[] = [{ type: 'phase' }];
  for (let step = 1; step <= steps; step++) {
    events.push({ type: 'step', step, loss: 3 / step, learningRate: 1e-4 / step });
    if (step % 10 === 0) events.push({ type: 'evaluation', step, loss: 3.1 / step });
    if (step % 20 === 0) events.push({ type: 'epoch', epoch: step / 20, step });
  }
  return events;
}

describe('renderLossCurve', () => {
  it('draws an SVG with title, axes with units, legend and every series', () => {
    const svg = renderLossCurve(history(60), { title: 'A & B <run>' });
    expect(svg).toMatch(/^<svg /);
    expect(svg).toContain('</svg>');
    expect(svg).toContain('A &amp; B &lt;run&gt;');
    for (const text of [
      'optimizer step',
      'loss (nats per target token)',
      '(×10⁻⁴)',
      'training loss, each step',
      'training loss, smoothed',
      'validation loss',
      'learning rate',
      '>epoch 1<',
      '>epoch 2<',
      '60 steps',
      'final training loss 0.050',
    ]) {
      expect(svg).toContain(text);
    }
    // The last epoch ends at the right edge and gets no mark.
    expect(svg).not.toContain('>epoch 3<');
    expect(svg).not.toMatch(/NaN|undefined/);
  });

  it('shows the interventions of adaptive training in a strip with a row for each kind', () => {
    const at = (step: number, kind: string): LossCurveEvent => ({
      type: 'intervention',
      step,
      kind,
    });
    const some = [at(7, 'skip'), at(8, 'rescue'), at(8, 'learning-rate')];
    const rowsOf = (svg: string) => svg.match(/>(skip|rescue|learning-rate)<\/text>/g)?.length;
    const svg = renderLossCurve([...history(60), ...some]);
    expect(rowsOf(svg)).toBe(3);
    expect(svg).toContain('>epoch 1<');
    // the names, the points and the lines through the curve
    expect(svg.match(/#8a4fb0/g)).toHaveLength(3 + 3 + 2);
    const many = Array.from({ length: 40 }, (_, i) => at(i + 1, 'skip'));
    const busy = renderLossCurve([...history(60), ...many]);
    expect(rowsOf(busy)).toBe(1);
    expect(busy).not.toContain('stroke="#8a4fb0"'); // too many lines would hide the curve
    expect(renderLossCurve(history(60))).not.toContain('#8a4fb0');
  });

  it('keeps the rows of the strip and the panels apart', () => {
    const kinds = ['learning-rate', 'skip', 'rescue', 'accumulation', 'extend', 'stop'];
    const svg = renderLossCurve([
      ...history(60),
      ...kinds.map((kind, i): LossCurveEvent => ({ type: 'intervention', step: i + 1, kind })),
    ]);
    const place = (kind: string) =>
      Number(
        new RegExp(`translate\\([\\d.]+ ([\\d.]+)\\)" fill="#8a4fb0">${kind}<`).exec(svg)?.[1],
      );
    const rows = kinds.map(place);
    for (const [i, row] of rows.entries()) if (i > 0) expect(row - rows[i - 1]!).toBe(14);
    const lines = Array.from(svg.matchAll(/<path d="M90 ([\d.]+)L932 \1"/g), ([, y]) => Number(y));
    const [above, below] = [rows[0]!, rows.at(-1)!];
    expect(Math.max(...lines.filter((y) => y < above - 7))).toBeLessThan(above - 20);
    expect(Math.min(...lines.filter((y) => y > below + 8))).toBeGreaterThan(below + 20);
  });

  it('uses width and height', () => {
    expect(renderLossCurve(history(20), { width: 700, height: 420 })).toContain(
      'width="700" height="420"',
    );
  });

  it('gives the same SVG for the same history', () => {
    expect(renderLossCurve(history(30))).toBe(renderLossCurve(history(30)));
  });

  it.each([1, 2, 5, 3000])('draws %i steps', (steps) => {
    const svg = renderLossCurve(history(steps), { logScale: steps > 2 });
    expect(svg).toContain('</svg>');
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  it('leaves a gap for a loss that is not finite, and draws a constant learning rate of zero', () => {
    const events = history(20).map((event) =>
      event.type === 'step'
        ? { ...event, learningRate: 0, loss: event.step === 7 ? Number.NaN : event.loss }
        : event,
    );
    expect(renderLossCurve(events)).not.toContain('NaN');
  });

  it('fails without a step event', () => {
    expect(() => renderLossCurve([{ type: 'evaluation', step: 1, loss: 1 }])).toThrow(
      'the history has no step event with a loss',
    );
  });
});

describe('renderLossCurveHtml', () => {
  it('writes one page with the library and the same data inside', () => {
    const html = renderLossCurveHtml(history(20), { title: 'x</script><b>' });
    // Booleans, so that a failure does not print the megabyte of the library.
    expect(html.startsWith('<!doctype html>')).toBe(true);
    const data = /chart\.setOption\((.*)\);\naddEventListener/.exec(html)?.[1] ?? '';
    const { series, title } = JSON.parse(data);
    expect(title.text).toBe('x</script><b>');
    expect(series.map(({ name }: { name: string }) => name)).toEqual([
      'training loss, each step',
      'training loss, smoothed',
      'validation loss',
      'learning rate',
    ]);
    expect(series[0].data).toHaveLength(20);
    expect(html.includes('<title>x&lt;/script&gt;&lt;b&gt;</title>')).toBe(true);
    expect(html.includes('x\\u003c/script>')).toBe(true);
    expect(/<(script|link)[^>]+(src|href)=/.test(html)).toBe(false);
  });
});
