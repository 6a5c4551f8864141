import { ExpertHistory, type ExpertSpan } from '../expert-history.js';
import { renderSvg } from './echarts.js';
import { DARK, LIGHT } from './suite/chart-axes.js';
import { chartHeight, chartOption } from './suite/chart-option.js';

/** The input of renderExpertUse(): the events of a run, or of its run log. Other events are ignored. */
export type ExpertUseEvent =
  | { type: 'step'; step: number; experts: { layer: number; counts: number[] }[] | null }
  | { type: string };

/** Options of renderExpertUse(). */
export interface ExpertUseOptions {
  /** Default: 'Use of experts'. */
  title?: string;
  /** Pixels. Default: 960. The height depends on the number of experts and layers. */
  width?: number;
  /** Default: 'light'. */
  theme?: 'light' | 'dark';
}

/**
 * Renders the use of the experts during a training with `expertStatistics` as SVG text: a heat map of the share of each expert over
 * the optimizer steps for up to 4 layers, from the first to the last, the routing entropy, and the experts without a token. Needs no
 * DOM.
 *
 * @throws RangeError if no step event has experts
 */
export function renderExpertUse(
  history: readonly ExpertUseEvent[],
  options: ExpertUseOptions = {},
): string {
  const experts = new ExpertHistory();
  for (const event of history) {
    if ('experts' in event) experts.add(event.step, event.experts);
  }
  if (experts.spans().length === 0)
    throw new RangeError('the history has no step event with experts');
  return renderExpertSpans(experts.spans(), options);
}

/** The same for experts that were added up during the run. */
export function renderExpertSpans(spans: ExpertSpan[], options: ExpertUseOptions = {}): string {
  const { title = 'Use of experts', width = 960, theme = 'light' } = options;
  const chart = { kind: 'experts' as const, title, spans };
  const layout = { title: true };
  const option = chartOption(chart, theme === 'dark' ? DARK : LIGHT, layout);
  return renderSvg(option, { width, height: chartHeight(chart, layout) });
}
