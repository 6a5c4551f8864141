import type { ExpertCounts } from './contract/model.js';

/** The experts that the tokens of some successive optimizer steps used. */
export interface ExpertSpan {
  firstStep: number;
  lastStep: number;
  layers: ExpertCounts[];
}

/** The most spans of a history. */
const MOST_SPANS = 64;

/**
 * Adds up the experts of the steps of a run in at most 64 spans of equally many steps. When there would be more, two spans become
 * one, so that memory does not grow with the run.
 */
export class ExpertHistory {
  #spans: ExpertSpan[] = [];
  #stepsPerSpan = 1;
  #stepsOfLast = 0;

  /** @param layers `experts` of the event of the step; null: not counted */
  add(step: number, layers: readonly ExpertCounts[] | null): void {
    if (layers === null || layers.length === 0) return;
    const span = { firstStep: step, lastStep: step, layers: [...layers] };
    const last = this.#spans.at(-1);
    if (last !== undefined && this.#stepsOfLast < this.#stepsPerSpan) {
      this.#spans[this.#spans.length - 1] = sumOf([last, span]);
      this.#stepsOfLast++;
      return;
    }
    if (this.#spans.length === MOST_SPANS) {
      this.#spans = mergedSpans(this.#spans, MOST_SPANS / 2);
      this.#stepsPerSpan *= 2;
    }
    this.#spans.push(span);
    this.#stepsOfLast = 1;
  }

  spans(): ExpertSpan[] {
    return [...this.#spans];
  }
}

/** At most `most` spans, each of equally many of the given ones; the last one may have fewer. */
export function mergedSpans(spans: readonly ExpertSpan[], most: number): ExpertSpan[] {
  const size = Math.ceil(spans.length / most);
  const count = Math.ceil(spans.length / Math.max(1, size));
  return Array.from({ length: count }, (_, i) => sumOf(spans.slice(i * size, (i + 1) * size)));
}

/** One span with the counts of all of them. */
function sumOf(spans: readonly ExpertSpan[]): ExpertSpan {
  const [first] = spans as readonly [ExpertSpan];
  return {
    firstStep: first.firstStep,
    lastStep: (spans.at(-1) as ExpertSpan).lastStep,
    layers: first.layers.map(({ layer, counts }, i) => ({
      layer,
      counts: counts.map((_, expert) =>
        spans.reduce((sum, { layers }) => sum + (layers[i]?.counts[expert] ?? 0), 0),
      ),
    })),
  };
}
