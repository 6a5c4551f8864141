import type { EChartsOption, LineSeriesOption } from 'echarts';
import { fontFamily } from './echarts.js';
import type { LossCurveEvent, LossCurveOptions } from './loss-curve.js';
import { defaultSpan, smooth } from './smooth.js';

const colors = {
  text: '#1f2933',
  muted: '#66717f',
  grid: '#e6e9ed',
  axis: '#9aa5b1',
  raw: '#a9c4e4',
  smoothed: '#1d5fa7',
  validation: '#d4552a',
  learningRate: '#3f8f63',
  epoch: '#c3cad3',
  intervention: '#8a4fb0',
};

/** The legend symbol of a line series: a short bar. */
const lineIcon = 'path://M0 0h20v3h-20z';

/** The data of a loss curve. */
interface Curve {
  steps: readonly { step: number; loss: number; learningRate: number }[];
  evaluations: readonly { step: number; loss: number }[];
  /** The smoothed losses; undefined if smoothing is off or there are too few steps. */
  averages: readonly (number | null)[] | undefined;
  /** Whether there are too few steps for a line, so that points are drawn. */
  few: boolean;
  minX: number;
  maxX: number;
  interventions: readonly { step: number; kind: string }[];
  /** Their kinds, one row of the strip for each. */
  kinds: readonly string[];
  /** The learning rate is drawn in units of 10^rateExponent. */
  rateExponent: number;
}

function curveOf(history: readonly LossCurveEvent[], smoothing: number | undefined): Curve {
  const steps = history.flatMap((event) =>
    event.type === 'step' && event.loss !== null ? [{ ...event, loss: event.loss }] : [],
  );
  const evaluations = history.filter((event) => event.type === 'evaluation');
  const first = steps[0];
  const last = steps.at(-1);
  if (!first || !last) {
    throw new RangeError('the history has no step event with a loss');
  }
  const span = smoothing ?? defaultSpan(steps.length);
  const losses = steps.map(({ loss }) => loss);
  const interventions = history.filter((event) => event.type === 'intervention');
  const evaluated = evaluations.map(({ step }) => step);
  const peakRate = steps.reduce((peak, { learningRate }) => Math.max(peak, learningRate), 0);
  return {
    steps,
    evaluations,
    averages: span >= 1 && steps.length > 4 ? smooth(losses, span) : undefined,
    few: steps.length <= 2,
    minX: Math.min(first.step - 1, ...evaluated),
    maxX: Math.max(last.step, ...evaluated),
    interventions,
    kinds: [...new Set(interventions.map(({ kind }) => kind))],
    rateExponent: powerOfTen(peakRate),
  };
}

const nameOfSteps = ({ averages }: Curve) =>
  averages === undefined ? 'training loss' : 'training loss, each step';

/** The chart options as plain data (no functions), shared by SVG and HTML. */
export function lossCurveOption(
  history: readonly LossCurveEvent[],
  options: LossCurveOptions,
): EChartsOption {
  const curve = curveOf(history, options.smoothing);
  const { steps, evaluations, averages, few } = curve;
  return {
    backgroundColor: '#ffffff',
    textStyle: { fontFamily, color: colors.text },
    title: {
      text: options.title ?? 'Training loss',
      subtext:
        options.subtitle ?? describe(steps.length, steps.at(-1)!.loss, evaluations.at(-1)?.loss),
      left: 86,
      top: 14,
      itemGap: 6,
      textStyle: { fontSize: 19, fontWeight: 'bold', color: colors.text, fontFamily },
      subtextStyle: { fontSize: 13, color: colors.muted, fontFamily },
    },
    legend: {
      type: 'scroll', // of a narrow page
      data: [
        { name: nameOfSteps(curve), icon: few ? 'circle' : lineIcon },
        ...(averages ? [{ name: 'training loss, smoothed', icon: lineIcon }] : []),
        ...(evaluations.length > 0 ? [{ name: 'validation loss', icon: 'circle' }] : []),
        { name: 'learning rate', icon: few ? 'circle' : lineIcon },
      ],
      top: 68,
      left: 90,
      right: 28,
      itemGap: 22,
      itemWidth: 20,
      itemHeight: 10,
      textStyle: { color: colors.text, fontSize: 12, fontFamily },
    },
    axisPointer: { link: [{ xAxisIndex: 'all' }] },
    ...panels(curve, options.logScale ?? false),
    series: [...series(curve, marksOf(history, curve)), ...interventionPoints(curve)],
  };
}

/** Height of a row of the strip of interventions in pixels. */
const STRIP_ROW = 14;

/** The loss, the learning rate and, between them, a strip of interventions, if there are any. */
function panels(curve: Curve, logScale: boolean) {
  const strip = STRIP_ROW * curve.kinds.length;
  const panel = { left: 90, right: 28, outerBoundsMode: 'none' as const };
  const { xAxis, yAxis } = axes(curve, logScale);
  const grid = [
    { ...panel, top: 104, bottom: 172 + (strip === 0 ? 0 : strip + 4) },
    { ...panel, height: 78, bottom: 58 },
  ];
  if (strip === 0) return { grid, xAxis, yAxis };
  const hidden = {
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { show: false },
  };
  const { minX: min, maxX: max } = curve;
  const x = {
    type: 'value' as const,
    gridIndex: 2,
    min,
    max,
    ...hidden,
    axisLabel: { show: false },
  };
  const y = {
    type: 'category' as const,
    gridIndex: 2,
    inverse: true,
    data: [...curve.kinds],
    ...hidden,
    splitLine: { show: true, lineStyle: { color: colors.grid } },
    axisLabel: { color: colors.intervention, fontSize: 10, margin: 6 },
  };
  return {
    grid: [...grid, { ...panel, height: strip, bottom: 154 }],
    xAxis: [...xAxis, x],
    yAxis: [...yAxis, y],
  };
}

/** A point in the row of its kind for each intervention. */
function interventionPoints({ interventions }: Curve) {
  if (interventions.length === 0) return [];
  return [
    {
      name: 'interventions',
      type: 'scatter' as const,
      xAxisIndex: 2,
      yAxisIndex: 2,
      data: interventions.map(({ step, kind }) => [step, kind]),
      symbol: 'diamond',
      symbolSize: 8,
      itemStyle: { color: colors.intervention },
    },
  ];
}

function axes(curve: Curve, logScale: boolean) {
  const losses = [...curve.steps, ...curve.evaluations]
    .map(({ loss }) => loss)
    .filter(Number.isFinite);
  const lowest = losses.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const highest = losses.reduce((a, b) => Math.max(a, b), 0);
  const xAxis = {
    type: 'value' as const,
    min: curve.minX,
    max: curve.maxX,
    minInterval: 1,
    axisLine: { show: true, lineStyle: { color: colors.axis } },
    axisTick: { show: true, lineStyle: { color: colors.axis } },
    splitLine: { show: false },
  };
  const yAxis = {
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: { color: colors.muted, fontSize: 12 },
    splitLine: { lineStyle: { color: colors.grid } },
    nameLocation: 'middle' as const,
    nameTextStyle: { color: colors.text, fontSize: 13, lineHeight: 16 },
    nameGap: 50,
  };
  return {
    xAxis: [
      { ...xAxis, gridIndex: 0, axisLabel: { show: false } },
      {
        ...xAxis,
        gridIndex: 1,
        axisLabel: { color: colors.muted, fontSize: 12 },
        name: 'optimizer step',
        nameLocation: 'middle' as const,
        nameGap: 30,
        nameTextStyle: { color: colors.text, fontSize: 13 },
      },
    ],
    yAxis: [
      {
        ...yAxis,
        gridIndex: 0,
        type: logScale ? ('log' as const) : ('value' as const),
        name: 'loss (nats per target token)',
        // Start the axis at zero unless the loss changes little.
        ...(logScale ? { min: roundDown(lowest), max: roundUp(highest) } : {}),
        scale: lowest > 0.4 * highest,
      },
      {
        ...yAxis,
        gridIndex: 1,
        type: 'value' as const,
        name: `learning rate\n(×10${superscript(curve.rateExponent)})`,
        min: 0,
        splitNumber: 2,
      },
    ],
  };
}

function series(curve: Curve, marks: ReturnType<typeof marksOf>): LineSeriesOption[] {
  const { steps, evaluations, averages, few } = curve;
  return [
    {
      name: nameOfSteps(curve),
      type: 'line',
      data: steps.map(({ step, loss }) => [step, Number.isFinite(loss) ? loss : null]),
      symbol: few ? 'circle' : 'none',
      symbolSize: 8,
      sampling: 'lttb',
      lineStyle: averages
        ? { width: 1.2, color: colors.raw }
        : { width: 2, color: colors.smoothed },
      itemStyle: { color: averages ? colors.raw : colors.smoothed },
      markLine: marks,
    },
    ...(averages
      ? [
          {
            name: 'training loss, smoothed',
            type: 'line' as const,
            data: steps.map(({ step }, i) => [step, averages[i] ?? null]),
            symbol: 'none',
            lineStyle: { width: 2.4, color: colors.smoothed },
            itemStyle: { color: colors.smoothed },
          },
        ]
      : []),
    ...(evaluations.length > 0
      ? [
          {
            name: 'validation loss',
            type: 'line' as const,
            data: evaluations.map(({ step, loss }) => [step, Number.isFinite(loss) ? loss : null]),
            symbol: 'circle',
            symbolSize: 8,
            lineStyle: { width: 1.4, color: colors.validation, type: 'dashed' as const },
            itemStyle: { color: colors.validation },
          },
        ]
      : []),
    {
      name: 'learning rate',
      type: 'line',
      xAxisIndex: 1,
      yAxisIndex: 1,
      data: steps.map(({ step, learningRate }) => [
        step,
        Number((learningRate / 10 ** curve.rateExponent).toPrecision(7)),
      ]),
      symbol: few ? 'circle' : 'none',
      symbolSize: 8,
      lineStyle: { width: 1.8, color: colors.learningRate },
      itemStyle: { color: colors.learningRate },
      areaStyle: { color: colors.learningRate, opacity: 0.12 },
    },
  ];
}

/**
 * Vertical lines at the ends of epochs, except at the right edge, and at interventions, which the strip below names; none of a kind
 * with more than 20.
 */
function marksOf(history: readonly LossCurveEvent[], { maxX, interventions }: Curve) {
  const ends = history.filter((event) => event.type === 'epoch').filter(({ step }) => step < maxX);
  const steps = [...new Set(interventions.map(({ step }) => step))];
  const marks = [
    ...fewMarks(ends).map(({ step, epoch }) => ({
      xAxis: step,
      label: { formatter: `epoch ${epoch}` },
    })),
    ...fewMarks(steps).map((step) => ({
      xAxis: step,
      label: { show: false },
      lineStyle: { color: colors.intervention, type: 'dotted' as const, width: 1, opacity: 0.6 },
    })),
  ];
  if (marks.length === 0) return undefined;
  return {
    silent: true,
    symbol: 'none',
    lineStyle: { color: colors.epoch, type: 'solid' as const, width: 1 },
    label: { color: colors.muted, fontSize: 11, position: 'insideEndTop' as const, rotate: 90 },
    data: marks,
  };
}

const fewMarks = <T>(marks: T[]): T[] => (marks.length > 20 ? [] : marks);

function describe(steps: number, loss: number, validation: number | undefined): string {
  const parts = [`${steps} ${steps === 1 ? 'step' : 'steps'}`];
  if (Number.isFinite(loss)) parts.push(`final training loss ${loss.toFixed(3)}`);
  if (validation !== undefined) parts.push(`final validation loss ${validation.toFixed(3)}`);
  return parts.join('  ·  ');
}

function powerOfTen(value: number): number {
  // The margin turns a peak of 9.99e-5 into 0.999e-4, which is easier to read.
  return value > 0 ? Math.floor(Math.log10(value * 1.02)) : 0;
}

/** Rounds down to the next of 1, 2, 5, 10, … */
function roundDown(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * (value >= 5 * power ? 5 : value >= 2 * power ? 2 : 1);
}

/** Rounds up to the next of 1, 2, 5, 10, … */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * (value <= power ? 1 : value <= 2 * power ? 2 : value <= 5 * power ? 5 : 10);
}

function superscript(exponent: number): string {
  const digits = '⁰¹²³⁴⁵⁶⁷⁸⁹';
  return [...String(exponent)].map((c) => (c === '-' ? '⁻' : digits[Number(c)])).join('');
}
