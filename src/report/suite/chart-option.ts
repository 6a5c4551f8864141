import type { EChartsOption } from 'echarts';
import { fontFamily } from '../echarts.js';
import { axisLine, type ChartTheme, valueAxis } from './chart-axes.js';
import type { BarChart, Chart, LineChart } from './document.js';
import { expertChart, expertChartHeight } from './expert-chart.js';

/** Whether a chart has its title above it; a page has its own. */
export interface ChartLayout {
  title: boolean;
}

const PANEL = 190;
const PANEL_GAP = 34;
const BARS = 270;
const BAR_ROW = 40;
/** Part of the axis; the value of a shorter bar stands next to it. */
const SHORT_BAR = 0.12;
/** Of the names of horizontal bars. */
const LABEL_WIDTH = 150;
/** About as many characters have room in a line of a name, whose words may break. */
const LABEL_CHARACTERS = 18;
const LABEL_LINE = 16;

/** Pixels above the drawing: the title, and the legend of several series. */
const topOf = (chart: Chart, { title }: ChartLayout): number =>
  16 + (title ? 36 : 0) + (seriesOf(chart).length > 1 ? 32 : 0);

const seriesOf = (chart: Chart): readonly { name: string }[] =>
  chart.kind === 'bars'
    ? chart.series
    : chart.kind === 'lines'
      ? (chart.panels[0]?.series ?? [])
      : [];

/** The height of a chart in pixels. */
export function chartHeight(chart: Chart, layout: ChartLayout): number {
  const top = topOf(chart, layout);
  if (chart.kind === 'experts') return expertChartHeight(chart, top);
  if (chart.kind === 'bars') return top + barsHeight(chart) + 56;
  return top + chart.panels.length * (PANEL + PANEL_GAP) + 24;
}

/** A chart as plain data for ECharts, without functions. */
export function chartOption(chart: Chart, theme: ChartTheme, layout: ChartLayout): EChartsOption {
  const series = seriesOf(chart);
  const top = topOf(chart, layout);
  const title = {
    show: layout.title,
    text: chart.title,
    left: 12,
    top: 10,
    textStyle: { fontSize: 16, fontWeight: 'bold' as const, color: theme.text, fontFamily },
  };
  const style = {
    backgroundColor: theme.background,
    color: [...theme.series],
    textStyle: { fontFamily, color: theme.text },
  };
  if (chart.kind === 'experts') {
    const { titles, ...drawing } = expertChart(chart, theme, top);
    return { ...style, title: [title, ...titles], ...drawing };
  }
  return {
    ...style,
    title,
    legend: {
      show: series.length > 1,
      type: 'scroll',
      left: 12,
      top: top - 36,
      textStyle: { color: theme.text, fontSize: 12, fontFamily },
      pageTextStyle: { color: theme.muted },
      data: series.map(({ name }) => name),
    },
    tooltip: {
      trigger: 'axis',
      backgroundColor: theme.background,
      borderColor: theme.axis,
      textStyle: { color: theme.text, fontFamily },
      confine: true,
    },
    ...(chart.kind === 'bars' ? bars(chart, theme, top) : lines(chart, theme, top)),
  };
}

/** Many bars or long names stand below each other, where every name can be read on a narrow page. */
const isHorizontal = ({ names }: BarChart): boolean =>
  names.length > 4 || names.some((name) => name.length > 14);

/** Of the area with the bars. */
const barsHeight = (chart: BarChart): number =>
  isHorizontal(chart) ? rowHeight(chart) * chart.names.length : BARS;

/** Long names break into several lines, which must not overlap those of the next bar. */
function rowHeight({ names }: BarChart): number {
  const lines = Math.max(...names.map(({ length }) => Math.ceil(length / LABEL_CHARACTERS)));
  return Math.max(BAR_ROW, LABEL_LINE * lines + 8);
}

function bars(chart: BarChart, theme: ChartTheme, top: number): EChartsOption {
  const horizontal = isHorizontal(chart);
  const names = {
    type: 'category' as const,
    data: chart.names,
    inverse: horizontal,
    ...axisLine(theme),
    axisLabel: {
      color: theme.muted,
      fontSize: 12,
      lineHeight: 16,
      interval: 0,
      overflow: 'break' as const,
      width: horizontal ? LABEL_WIDTH : 110,
    },
  };
  const values = {
    ...valueAxis(theme, chart.yTitle),
    nameGap: horizontal ? 30 : 52,
    min: 0,
    max: roundUp(highestOf(chart)),
  };
  const left = horizontal ? LABEL_WIDTH + 20 : 78;
  return {
    grid: { left, right: 20, top, height: barsHeight(chart), outerBoundsMode: 'none' },
    ...(horizontal ? { xAxis: values, yAxis: names } : { xAxis: names, yAxis: values }),
    series: chart.series.map((series) => ({
      name: series.name,
      type: 'bar' as const,
      data: series.values.map((value) => {
        if (value === null) return null;
        if (value > SHORT_BAR * values.max) return significant(value);
        const position = horizontal ? ('right' as const) : ('top' as const);
        return { value: significant(value), label: { position, color: theme.text } };
      }),
      barMaxWidth: horizontal ? 24 : 64,
      label: {
        show: chart.labels ?? true,
        position: horizontal ? ('insideLeft' as const) : ('insideBottom' as const),
        color: '#ffffff',
        fontSize: 12,
      },
      markLine: rangeLines(series, horizontal, theme),
    })),
  };
}

/** A line over each bar from its lowest to its highest value. */
function rangeLines(
  { ranges = [] }: BarChart['series'][number],
  horizontal: boolean,
  theme: ChartTheme,
) {
  const point = (bar: number, value: number) => ({
    coord: horizontal ? [value, bar] : [bar, value],
  });
  return {
    silent: true,
    symbol: ['none', 'none'] as [string, string],
    label: { show: false },
    lineStyle: { color: theme.text, type: 'solid' as const, width: 2 },
    data: ranges.flatMap((range, i) =>
      range === null
        ? []
        : [[point(i, range[0]), point(i, range[1])] as [{ coord: number[] }, { coord: number[] }]],
    ),
  };
}

const highestOf = ({ series }: BarChart): number =>
  Math.max(
    0,
    ...series.flatMap(({ values, ranges = [] }) =>
      [...values, ...ranges.map((range) => range?.[1] ?? 0)].map((value) => value ?? 0),
    ),
  );

/** Rounds up to the next of 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, … */
function roundUp(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => value <= step * power)!;
}

function lines(chart: LineChart, theme: ChartTheme, top: number): EChartsOption {
  const last = chart.panels.length - 1;
  const x = chart.panels.flatMap(({ series }) =>
    series.flatMap(({ values }) => values.map(([at]) => at)),
  );
  return {
    axisPointer: { link: [{ xAxisIndex: 'all' }] },
    grid: chart.panels.map((_, i) => ({
      left: 78,
      right: 24,
      top: top + i * (PANEL + PANEL_GAP),
      height: PANEL,
      outerBoundsMode: 'none' as const,
    })),
    xAxis: chart.panels.map((_, i) => ({
      type: 'value' as const,
      gridIndex: i,
      min: Math.min(...x),
      max: Math.max(...x),
      ...(x.every(Number.isInteger) ? { minInterval: 1 } : {}),
      ...axisLine(theme),
      splitLine: { show: false },
      ...(i === last
        ? {
            name: chart.xTitle,
            nameLocation: 'middle' as const,
            nameGap: 30,
            nameTextStyle: { color: theme.text, fontSize: 12 },
          }
        : { axisLabel: { show: false } }),
    })),
    yAxis: chart.panels.map(({ yTitle, series }, i) => ({
      ...valueAxis(theme, yTitle),
      gridIndex: i,
      scale: isNarrow(series),
    })),
    series: chart.panels.flatMap(({ series }, i) =>
      series.map(({ name, values }, n) => ({
        name,
        type: 'line' as const,
        xAxisIndex: i,
        yAxisIndex: i,
        data: values.map(([at, y]) => [at, y === null ? null : significant(y)]),
        symbol: values.length <= 40 ? 'circle' : 'none',
        symbolSize: 6,
        color: theme.series[n % theme.series.length]!,
      })),
    ),
  };
}

/** Whether values change little, so that an axis from zero would show a flat line. */
function isNarrow(series: LineChart['panels'][number]['series']): boolean {
  const values = series.flatMap(({ values: points }) => points.flatMap(([, y]) => y ?? []));
  return values.length > 0 && Math.min(...values) > 0.4 * Math.max(...values);
}

const significant = (value: number): number => Number(value.toPrecision(4));
