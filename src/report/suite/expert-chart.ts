import { type ExpertSpan, mergedSpans } from '../../expert-history.js';
import { expertUse } from '../../expert-use.js';
import { fontFamily } from '../echarts.js';
import { axisLine, type ChartTheme, valueAxis } from './chart-axes.js';
import type { ExpertChart } from './document.js';

/** Classes of the share of an expert, as a multiple of the share that all would have if they were used equally. */
const CLASSES: readonly (readonly [
  label: string,
  range: { gte?: number; gt?: number; lt?: number; value?: number },
])[] = [
  ['0', { value: 0 }],
  ['<½', { gt: 0, lt: 0.5 }],
  ['½–0.8', { gte: 0.5, lt: 0.8 }],
  ['0.8–1.25', { gte: 0.8, lt: 1.25 }],
  ['1.25–2', { gte: 1.25, lt: 2 }],
  ['2–4', { gte: 2, lt: 4 }],
  ['≥4', { gte: 4 }],
];

// Heights in pixels.
const LEGENDS = 64;
const TITLE = 28;
const PANEL_GAP = 14;
const LINES = 120;
const LINES_GAP = 44;
const BOTTOM = 56;
/** The limit for all heat maps together. */
const MOST_HEIGHT = 900;
const MOST_LAYERS = 4;
const MOST_CELLS = 10_000;

const mapHeight = (experts: number): number => Math.max(96, Math.min(2 * experts, 512));

/** The layers whose maps are drawn: as many as there is space for, from the first to the last. */
function drawnLayers({ spans }: ExpertChart): number[] {
  const layers = spans[0]?.layers ?? [];
  const experts = Math.max(1, ...layers.map(({ counts }) => counts.length));
  const space = Math.floor(MOST_HEIGHT / mapHeight(experts));
  const count = Math.min(layers.length, MOST_LAYERS, Math.max(1, space));
  const step = count < 2 ? 0 : (layers.length - 1) / (count - 1);
  return Array.from({ length: count }, (_, i) => Math.round(i * step));
}

interface Panel {
  title: string;
  top: number;
  height: number;
}

interface Layout {
  maps: (Panel & { index: number; experts: number })[];
  entropy: Panel;
  unused: Panel;
  height: number;
}

/** The panels below each other: a heat map for each drawn layer, the routing entropy, and the experts that are not used. */
function layoutOf(chart: ExpertChart, top: number): Layout {
  const layers = chart.spans[0]?.layers ?? [];
  let next = top + LEGENDS;
  const maps = drawnLayers(chart).map((index) => {
    const { layer, counts } = layers[index]!;
    const height = mapHeight(counts.length);
    const panel = {
      index,
      experts: counts.length,
      title: `layer ${layer}`,
      top: next + TITLE,
      height,
    };
    next = panel.top + height + PANEL_GAP;
    return panel;
  });
  const entropy = { title: 'routing entropy', top: next + LINES_GAP, height: LINES };
  const unused = {
    title: 'experts without a token',
    top: entropy.top + LINES + PANEL_GAP + TITLE,
    height: LINES / 2,
  };
  return { maps, entropy, unused, height: unused.top + unused.height + BOTTOM };
}

export const expertChartHeight = (chart: ExpertChart, top: number): number =>
  layoutOf(chart, top).height;

/** What the panels are drawn from. */
interface Drawing extends Layout {
  theme: ChartTheme;
  spans: readonly ExpertSpan[];
  lines: { name: string; values: (number | null)[] }[];
  /** The entropy of equal use in bits. */
  mostEntropy: number;
}

function drawingOf(chart: ExpertChart, theme: ChartTheme, top: number): Drawing {
  const layout = layoutOf(chart, top);
  const rows = layout.maps.reduce((sum, { experts }) => sum + experts, 0);
  const mostSpans = Math.max(16, Math.floor(MOST_CELLS / Math.max(1, rows)));
  const spans = mergedSpans(chart.spans, mostSpans);
  const counts = (spans[0]?.layers ?? []).map((layer) => layer.counts.length);
  const mostEntropy = Math.log2(Math.max(2, ...counts));
  return { ...layout, theme, spans, lines: entropyLines(spans), mostEntropy };
}

/** The use of experts over time, as plain data for ECharts. */
export function expertChart(chart: ExpertChart, theme: ChartTheme, top: number) {
  const drawing = drawingOf(chart, theme, top);
  const { maps, entropy, unused, lines } = drawing;
  const textStyle = { color: theme.text, fontFamily };
  return {
    titles: titles(chart, theme, drawing, top),
    legend: {
      show: lines.length > 1,
      left: 12,
      top: entropy.top - LINES_GAP + 18,
      itemWidth: 18,
      textStyle: { ...textStyle, fontSize: 12 },
      data: lines.map(({ name }) => name),
    },
    visualMap: {
      type: 'piecewise' as const,
      orient: 'horizontal' as const,
      left: 12,
      top: top + 22,
      itemGap: 6,
      itemWidth: 14,
      textGap: 3,
      dimension: 2,
      seriesIndex: maps.map((_, i) => i),
      textStyle: { ...textStyle, fontSize: 11 },
      pieces: CLASSES.map(([label, range], i) => ({ ...range, label, color: theme.classes[i]! })),
    },
    grid: [...maps, entropy, unused].map((panel) => ({
      left: 62,
      right: 20,
      top: panel.top,
      height: panel.height,
      outerBoundsMode: 'none' as const,
    })),
    ...axes(drawing),
    series: series(drawing),
    tooltip: {
      trigger: 'item' as const,
      backgroundColor: theme.background,
      borderColor: theme.axis,
      textStyle,
      confine: true,
    },
  };
}

function axes({ maps, entropy, unused, spans, lines, mostEntropy, theme }: Drawing) {
  const name = {
    nameLocation: 'middle' as const,
    nameTextStyle: { color: theme.text, fontSize: 12 },
  };
  const x = (gridIndex: number) => ({
    type: 'category' as const,
    gridIndex,
    data: spans.map(({ firstStep, lastStep }) =>
      firstStep === lastStep ? String(lastStep) : `${firstStep}–${lastStep}`,
    ),
    ...axisLine(theme),
  });
  const hidden = { axisLabel: { show: false }, axisTick: { show: false } };
  const values = (unit: string, gridIndex: number) => ({
    ...valueAxis(theme, unit),
    nameGap: 38,
    gridIndex,
  });
  return {
    xAxis: [
      ...[...maps, entropy].map((_, i) => ({ ...x(i), ...hidden })),
      { ...x(maps.length + 1), ...name, name: 'optimizer step', nameGap: 30 },
    ],
    yAxis: [
      ...maps.map(({ experts }, i) => ({
        type: 'category' as const,
        gridIndex: i,
        inverse: true,
        data: Array.from({ length: experts }, (_, expert) => String(expert)),
        ...name,
        name: 'expert',
        nameGap: 38,
        ...axisLine(theme),
        axisLabel: { color: theme.muted, fontSize: 11, interval: Math.ceil(experts / 8) - 1 },
        axisTick: { show: false },
      })),
      { ...values('bits', maps.length), ...entropyRange(lines, mostEntropy), splitNumber: 3 },
      { ...values('%', maps.length + 1), min: 0, max: 100, splitNumber: unused.height / 30 },
    ],
  };
}

function series({ maps, unused, spans, lines, mostEntropy, theme }: Drawing) {
  const line = (name: string, panel: number, data: (number | null)[]) => ({
    name,
    type: 'line' as const,
    xAxisIndex: panel,
    yAxisIndex: panel,
    data,
    symbol: data.length < 3 ? ('circle' as const) : ('none' as const),
  });
  return [
    ...maps.map(({ title, index }, i) => ({
      name: `${title}, shares`,
      type: 'heatmap' as const,
      xAxisIndex: i,
      yAxisIndex: i,
      dimensions: ['steps', 'expert', 'multiple of the equal share'],
      encode: { x: 0, y: 1, value: 2, tooltip: [0, 1, 2] },
      data: cellsOf(spans, index),
    })),
    ...lines.map(({ name, values }, n) => ({
      ...line(name, maps.length, values),
      color: theme.series[n % theme.series.length]!,
      ...(n === 0 ? { markLine: equalUse(mostEntropy, theme) } : {}),
    })),
    { ...line(unused.title, maps.length + 1, spans.map(unusedPercent)), color: theme.text },
  ];
}

function titles(
  { spans }: ExpertChart,
  theme: ChartTheme,
  { maps, entropy, unused }: Layout,
  top: number,
) {
  const layers = spans[0]?.layers.length ?? 0;
  const of = maps.length < layers ? ` (${maps.length} of ${layers} layers)` : '';
  const small = (text: string, at: number) => ({
    text,
    left: 12,
    top: at,
    textStyle: { fontSize: 12, fontWeight: 'bold' as const, color: theme.text, fontFamily },
  });
  return [
    small(`Shares of the experts, 1 = equal use${of}`, top),
    ...maps.map((panel) => small(panel.title, panel.top - TITLE + 2)),
    small(
      `Routing entropy${layers > MOST_LAYERS ? ` of all ${layers} layers` : ''}`,
      entropy.top - LINES_GAP + 2,
    ),
    small(`Experts without a token${layers > 1 ? ', of all layers' : ''}`, unused.top - TITLE + 2),
  ];
}

/** [span, expert, share as a multiple of the equal share], by share: SVG joins successive cells of one color. */
function cellsOf(spans: readonly ExpertSpan[], index: number): [number, number, number][] {
  const cells = spans.flatMap(({ layers }, x) => {
    const counts = layers[index]?.counts ?? [];
    const total = counts.reduce((sum, count) => sum + count, 0);
    return total === 0
      ? []
      : counts.map((count, y): [number, number, number] => [
          x,
          y,
          significant((count * counts.length) / total),
        ]);
  });
  return cells.sort(([, , a], [, , b]) => a - b);
}

/** The entropy of each layer; of many layers, their mean and the extremes. */
function entropyLines(spans: readonly ExpertSpan[]): { name: string; values: (number | null)[] }[] {
  const layers = spans[0]?.layers ?? [];
  const entropies = spans.map((span) =>
    span.layers.map((layer) => expertUse(layer)?.entropy ?? null),
  );
  if (layers.length <= MOST_LAYERS) {
    return layers.map(({ layer }, i) => ({
      name: `layer ${layer}`,
      values: entropies.map((each) => rounded(each[i] ?? null)),
    }));
  }
  const known = entropies.map((each) => each.filter((entropy) => entropy !== null));
  const line = (name: string, of: (values: number[]) => number) => ({
    name,
    values: known.map((values) => (values.length === 0 ? null : rounded(of(values)))),
  });
  return [
    line('highest', (values) => Math.max(...values)),
    line('mean', (values) => values.reduce((sum, value) => sum + value, 0) / values.length),
    line('lowest', (values) => Math.min(...values)),
  ];
}

/** The axis ends at the entropy of equal use, and starts at 0 unless the values are far from it. */
function entropyRange(lines: ReturnType<typeof entropyLines>, most: number) {
  const lowest = Math.min(
    most,
    ...lines.flatMap(({ values }) => values.flatMap((value) => value ?? [])),
  );
  return {
    min: lowest > most / 2 ? Math.floor(2 * lowest - 0.2) / 2 : 0,
    max: Math.ceil(2 * most) / 2,
  };
}

const equalUse = (most: number, theme: ChartTheme) => ({
  silent: true,
  symbol: 'none' as const,
  lineStyle: { color: theme.axis, type: 'dashed' as const, width: 1 },
  label: {
    formatter: 'equal use',
    position: 'insideEndBottom' as const,
    color: theme.muted,
    fontSize: 11,
  },
  data: [{ yAxis: most }],
});

function unusedPercent({ layers }: ExpertSpan): number {
  const counts = layers.flatMap((layer) => layer.counts);
  return significant((100 * counts.filter((count) => count === 0).length) / counts.length);
}

const rounded = (value: number | null): number | null =>
  value === null ? null : significant(value);
const significant = (value: number): number => Number(value.toPrecision(3));
