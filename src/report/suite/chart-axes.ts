// What all charts have in common: colors and axes.

/** Colors of a chart. */
export interface ChartTheme {
  background: string;
  text: string;
  muted: string;
  grid: string;
  axis: string;
  series: readonly string[];
  /** Classes of a heat map: nothing, then from little to much, with the usual one in the middle. */
  classes: readonly string[];
}

/** Colors that people with a color vision deficiency can tell apart (Okabe and Ito 2008). */
export const LIGHT: ChartTheme = {
  background: '#ffffff',
  text: '#1f2933',
  muted: '#56616d',
  grid: '#e6e9ed',
  axis: '#9aa5b1',
  series: ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#7a7a7a'],
  classes: ['#000000', '#2166ac', '#92c5de', '#f1f1f1', '#fddbb0', '#f4943f', '#b2450a'],
};

export const DARK: ChartTheme = {
  background: '#161b22',
  text: '#e6edf3',
  muted: '#9aa7b4',
  grid: '#2a323c',
  axis: '#5b6673',
  series: ['#58a6ff', '#ff9a57', '#3fcf9c', '#e29ac3', '#f0b840', '#8fd0f5', '#a8a8a8'],
  classes: ['#ffffff', '#2f81d6', '#2b5480', '#2d343d', '#7a4d1e', '#d07a28', '#ffc27a'],
};

export const axisLine = (theme: ChartTheme) => ({
  axisLine: { show: true, lineStyle: { color: theme.axis } },
  axisTick: { show: true, lineStyle: { color: theme.axis } },
  axisLabel: { color: theme.muted, fontSize: 12, hideOverlap: true },
});

export const valueAxis = (theme: ChartTheme, name: string) => ({
  type: 'value' as const,
  name,
  nameLocation: 'middle' as const,
  nameGap: 52,
  nameTextStyle: { color: theme.text, fontSize: 12 },
  axisLabel: { color: theme.muted, fontSize: 12 },
  splitLine: { lineStyle: { color: theme.grid } },
});
