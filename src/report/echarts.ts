import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { EChartsOption } from 'echarts';

/** A font that the usual programs for SVG have. */
export const fontFamily = 'DejaVu Sans, Verdana, Helvetica, Arial, sans-serif';

const require = createRequire(import.meta.url);

/** Draws a chart as SVG text, without a DOM. The same option gives the same text. */
export function renderSvg(
  option: EChartsOption,
  { width, height }: { width: number; height: number },
): string {
  const chart = loadEcharts().init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({ ...option, animation: false });
    return joinPaths(renumberIds(chart.renderToSVGString()));
  } finally {
    chart.dispose();
  }
}

/** The source of the chart library, for a page that works offline. */
export const echartsSource = (): string =>
  readFileSync(require.resolve('echarts/dist/echarts.min.js'), 'utf8');

/** Data for a script element: '<' inside a string could end the element. */
export const scriptData = (value: unknown): string =>
  JSON.stringify(value).replaceAll('<', '\\u003c');

/** Renumbers the ids, which the library counts across drawings. */
function renumberIds(svg: string): string {
  const ids = new Map<string, string>();
  return svg.replaceAll(/\bzr\d*-[a-z]+-?\d+/g, (id) => {
    const known = ids.get(id) ?? `id${ids.size}`;
    ids.set(id, known);
    return known;
  });
}

/**
 * Joins successive filled paths that look the same, of which a heat map has thousands, and leaves out attributes that only
 * ECharts reads.
 */
function joinPaths(svg: string): string {
  const run = /<path d="[^"]*"( fill="[^"]*" class="[^"]*"><\/path>\n)(?:<path d="[^"]*"\1)+/g;
  return svg.replaceAll(/ ecmeta_\w+="[^"]*"/g, '').replaceAll(run, (paths, end: string) => {
    const shapes = Array.from(paths.matchAll(/ d="([^"]*)"/g), ([, shape]) => shape);
    return `<path d="${shapes.join('')}"${end}`;
  });
}

// Loaded on first use: the chart library takes longer to load than all other modules together.
function loadEcharts(): typeof import('echarts') {
  return require('echarts');
}
