/** The expected label of a row and the label of an answer; null if the answer has none. */
export interface LabelPair {
  expected: string;
  predicted: string | null;
}

/** Precision, recall and F1 of a label, null where they are not defined. */
export interface LabelQuality {
  label: string;
  /** Rows with this label. */
  rows: number;
  /** Correct ones among the answers with this label; null if there are none. */
  precision: number | null;
  /** Correct ones among the rows with this label; null if there are none. */
  recall: number | null;
  /** 2·TP / (2·TP + FP + FN); null if neither a row nor an answer has this label. */
  f1: number | null;
}

/** Counts the rows by their expected label and the label of the answer. */
export interface Classification {
  labels: string[];
  /** Rows are expected labels, columns the labels of the answers; the last column is for answers without a label. */
  confusion: number[][];
  perLabel: LabelQuality[];
  /** Answers without a label. They count as wrong. */
  unparsed: number;
}

export function classify(labels: readonly string[], pairs: readonly LabelPair[]): Classification {
  const confusion = confusionOf(labels, pairs);
  return {
    labels: [...labels],
    confusion,
    perLabel: labels.map((label, i) => qualityOf(label, i, confusion)),
    unparsed: pairs.filter(({ predicted }) => predicted === null).length,
  };
}

function confusionOf(labels: readonly string[], pairs: readonly LabelPair[]): number[][] {
  const index = new Map(labels.map((label, i) => [label, i]));
  const counts = labels.map(() => new Array<number>(labels.length + 1).fill(0));
  for (const { expected, predicted } of pairs) {
    const column = predicted === null ? labels.length : index.get(predicted)!;
    counts[index.get(expected)!]![column]! += 1;
  }
  return counts;
}

function qualityOf(label: string, i: number, confusion: readonly number[][]): LabelQuality {
  const hits = confusion[i]![i]!;
  const rows = confusion[i]!.reduce((sum, count) => sum + count, 0);
  const answers = confusion.reduce((sum, counts) => sum + counts[i]!, 0);
  return {
    label,
    rows,
    precision: answers === 0 ? null : hits / answers,
    recall: rows === 0 ? null : hits / rows,
    f1: rows + answers === 0 ? null : (2 * hits) / (rows + answers),
  };
}

/**
 * The terms of a row in the sums of macro F1, two for each label: 1 if row and answer both have it, and how many of the two
 * have it.
 */
export function macroF1Terms(
  labels: readonly string[],
  { expected, predicted }: LabelPair,
): number[] {
  return labels.flatMap((label) => {
    const [inRow, inAnswer] = [expected === label, predicted === label];
    return [inRow && inAnswer ? 1 : 0, Number(inRow) + Number(inAnswer)];
  });
}

/** Mean F1, 2·TP / (2·TP + FP + FN), over the labels that a row or an answer has, with the same weight for each label. */
export function macroF1(sums: ArrayLike<number>): number {
  let [total, labels] = [0, 0];
  for (let i = 0; i < sums.length; i += 2) {
    if (sums[i + 1] === 0) continue;
    total += (2 * sums[i]!) / sums[i + 1]!;
    labels += 1;
  }
  return labels === 0 ? 0 : total / labels;
}
