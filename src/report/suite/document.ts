// A report without a format: Markdown, text and HTML are written from it.
import type { ExpertSpan } from '../../expert-history.js';

/** A cell of a table. */
export interface Cell {
  text: string;
  /** The value that the column is sorted by. */
  value?: number;
  /** More about the value, e.g. its interval; shown below the pointer in HTML. */
  note?: string;
}

export interface Column {
  title: string;
  /** Numbers are aligned to the right. */
  align: 'left' | 'right';
}

/** Bars over names, one group per series. */
export interface BarChart {
  kind: 'bars';
  title: string;
  names: string[];
  yTitle: string;
  /** Whether each bar shows its value. Default: true. */
  labels?: boolean;
  series: {
    name: string;
    /** One value per name; null: not measured. */
    values: (number | null)[];
    /** Lowest and highest value of each bar. */
    ranges?: (readonly [low: number, high: number] | null)[];
  }[];
}

/** Lines over the same x axis, in panels below each other. */
export interface LineChart {
  kind: 'lines';
  title: string;
  xTitle: string;
  panels: {
    yTitle: string;
    series: { name: string; values: [x: number, y: number | null][] }[];
  }[];
}

/** The use of the experts of each layer over the optimizer steps. */
export interface ExpertChart {
  kind: 'experts';
  title: string;
  spans: ExpertSpan[];
}

export type Chart = BarChart | LineChart | ExpertChart;

/** A part of a text with a loss weight; 0 for no loss. */
export interface MarkedText {
  text: string;
  weight: number;
}

export type Block =
  | { kind: 'table'; title?: string; columns: Column[]; rows: Cell[][] }
  | { kind: 'facts'; title?: string; facts: (readonly [name: string, value: string])[] }
  | { kind: 'text'; text: string }
  | { kind: 'list'; title?: string; items: string[] }
  | { kind: 'code'; text: string }
  | { kind: 'marked'; title: string; parts: MarkedText[] }
  | { kind: 'chart'; chart: Chart };

export interface Section {
  title: string;
  blocks: Block[];
}

export interface ReportDocument {
  title: string;
  subtitle: string;
  sections: Section[];
}

export const left = (title: string): Column => ({ title, align: 'left' });
export const right = (title: string): Column => ({ title, align: 'right' });
export const textCell = (text: string): Cell => ({ text });
/** What was not measured, or cannot be. */
export const NOT_MEASURED: Cell = { text: 'n/a' };
