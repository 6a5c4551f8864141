import { escapeHtml } from '../escape-html.js';
import { echartsSource, renderSvg, scriptData } from './echarts.js';
import { lossCurveOption } from './loss-curve-option.js';

/** The input of a loss curve: the events of a run, or of its run log. Other events are ignored. */
export type LossCurveEvent =
  | { type: 'step'; step: number; loss: number | null; learningRate: number }
  | { type: 'evaluation'; step: number; loss: number }
  | { type: 'epoch'; epoch: number; step: number }
  | { type: 'intervention'; step: number; kind: string }
  | { type: 'checkpoint' | 'resume' | 'pause' | 'continue' | 'warning' | 'phase' | 'done' };

/** Options of renderLossCurve() and renderLossCurveHtml(). */
export interface LossCurveOptions {
  /** Default: 'Training loss'. */
  title?: string;
  /** The line below the title. Default: the number of steps and the final losses. */
  subtitle?: string;
  /** Pixels. Default: 960. */
  width?: number;
  /** Pixels. Default: 560. */
  height?: number;
  /**
   * Half-width of the smoothing window in steps; 0 turns smoothing off.
   * Default: 5 % of the run, between 2 and 100.
   */
  smoothing?: number;
  /** Logarithmic loss axis. Default: false. */
  logScale?: boolean;
}

/**
 * Renders the loss curve of a run as SVG text: training loss (raw and smoothed), validation loss as points, the ends of
 * the epochs, interventions of adaptive training, and the learning rate in a second panel. Needs no DOM.
 *
 * @throws RangeError if the history has no step event with a loss
 */
export function renderLossCurve(
  history: readonly LossCurveEvent[],
  options: LossCurveOptions = {},
): string {
  const { width = 960, height = 560 } = options;
  return renderSvg(lossCurveOption(history, options), { width, height });
}

/**
 * Renders the loss curve as one self-contained HTML page with tooltips and zoom. The page includes the chart library and
 * is about 1.1 MB large.
 *
 * @throws RangeError if the history has no step event with a loss
 */
export function renderLossCurveHtml(
  history: readonly LossCurveEvent[],
  options: LossCurveOptions = {},
): string {
  const { width = 960, height = 560, title = 'Training loss' } = options;
  const option = {
    ...lossCurveOption(history, options),
    tooltip: { trigger: 'axis' },
    dataZoom: [{ type: 'inside', xAxisIndex: 'all' }],
  };
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${escapeHtml(title)}</title>
<style>body { margin: 24px; background: #fff; } #chart { width: 100%; max-width: ${width}px; height: ${height}px; }</style>
</head>
<body>
<div id="chart"></div>
<script>${echartsSource()}</script>
<script>
const chart = echarts.init(document.getElementById('chart'), null, { renderer: 'svg' });
chart.setOption(${scriptData(option)});
addEventListener('resize', () => chart.resize());
</script>
</body>
</html>
`;
}
