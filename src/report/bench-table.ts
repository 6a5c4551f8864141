import type { BenchResult, BenchSeries } from '../bench/result.js';

const names = {
  prompt: 'prompt processing',
  generation: 'generation',
  training: 'LoRA training',
} as const;

/** One row of the table, in tokens per second. */
export interface BenchRow {
  name: string;
  median: number;
  min: number;
  max: number;
  repetitions: number;
}

/** The measured series of a benchmark in a fixed order; a series that was not measured has no row. */
export function benchRows(result: BenchResult): BenchRow[] {
  return [result.prompt, result.generation, result.training]
    .filter((series): series is BenchSeries => series !== null)
    .map(({ kind, median, min, max, samples }) => ({
      name: names[kind],
      median,
      min,
      max,
      repetitions: samples.length,
    }));
}

/** A benchmark as a Markdown table in tokens per second, below a description of model and machine. */
export function benchMarkdown(result: BenchResult): string {
  const { model, system } = result;
  const lines = [
    `Model: ${model.description} (${model.path})  `,
    `System: ${system.devices.join(', ')}; ${system.threads} threads; llama.cpp ${system.llamaCpp}`,
    '',
    '| tokens/s | median | min | max | repetitions |',
    '|---|---:|---:|---:|---:|',
    ...benchRows(result).map(
      ({ name, median, min, max, repetitions }) =>
        `| ${name} | ${rate(median)} | ${rate(min)} | ${rate(max)} | ${repetitions} |`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}

/** The whole result with all samples, as JSON text. */
export function benchJson(result: BenchResult): string {
  return `${JSON.stringify(result, null, 2)}\n`;
}

/** Three significant digits below a thousand, whole numbers above. */
function rate(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
