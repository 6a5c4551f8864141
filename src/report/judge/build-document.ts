import * as format from '../../format.js';
import type { JudgeCheck, JudgeResults, JudgeTally } from '../../judge/results.js';
import {
  type Block,
  type Cell,
  left,
  NOT_MEASURED,
  type ReportDocument,
  right,
  textCell,
} from '../suite/document.js';

/** The report of a judge, without a format. */
export function buildJudgeDocument(results: JudgeResults): ReportDocument {
  const { judge, systems, rows } = results;
  return {
    title: 'LLM as judge',
    subtitle: `${systems.join(', ')} on ${format.plural(rows, 'row')}, judged by ${judge.model}`,
    sections: [
      { title: 'Comparisons', blocks: comparisonBlocks(results) },
      { title: 'Judge', blocks: judgeBlocks(results) },
    ],
  };
}

function comparisonBlocks(results: JudgeResults): Block[] {
  const named = results.comparisons.map(
    (each) => [`${each.left} against ${each.right}`, each] as const,
  );
  const { check } = results;
  const checked = check === null ? [] : [['check: better against worse', check] as const];
  return [
    tallyTable([...named, ...checked]),
    { kind: 'text', text: checkNote(check) },
    { kind: 'list', items: [...DEFINITIONS, ...warnings(results)] },
    {
      kind: 'chart',
      chart: {
        kind: 'bars',
        title: 'Win rate with 95 % interval; 0.5 is a draw',
        names: named.map(([name]) => name),
        yTitle: 'win rate',
        series: [
          {
            name: 'win rate',
            values: named.map(([, { winRate }]) => winRate),
            ranges: named.map(([, { interval }]) => interval),
          },
        ],
      },
    },
  ];
}

const percentCell = (value: number | null): Cell =>
  value === null ? NOT_MEASURED : { text: format.percent(value), value };

const countCell = (value: number): Cell => ({ text: format.integer(value), value });

const rangeText = ([low, high]: readonly [number, number]): string =>
  `${(100 * low).toFixed(1)} to ${format.percent(high)}`;

function tallyTable(rows: readonly (readonly [name: string, tally: JudgeTally])[]): Block {
  const numbers = [
    ...['pairs', 'wins', 'ties', 'losses', 'undecided', 'win rate', '95 % interval', 'p'],
    ...['orders agree', 'A named', 'invalid'],
  ];
  return {
    kind: 'table',
    columns: [left('comparison'), ...numbers.map(right)],
    rows: rows.map(([name, tally]) => [
      textCell(name),
      countCell(tally.pairs),
      countCell(tally.wins),
      { ...countCell(tally.ties), note: `${tally.identical} of them identical answers` },
      countCell(tally.losses),
      countCell(tally.undecided),
      percentCell(tally.winRate),
      tally.interval === null ? NOT_MEASURED : textCell(rangeText(tally.interval)),
      tally.p === null ? NOT_MEASURED : { text: format.pValue(tally.p), value: tally.p },
      percentCell(tally.agreement),
      percentCell(tally.firstShare),
      { text: `${tally.invalid} of ${tally.verdicts}`, value: tally.invalid },
    ]),
  };
}

const SOURCES: Readonly<Record<JudgeCheck['source'], string>> = {
  references: "a row's reference against that of another row",
  given: 'given pairs',
};

/** How far the comparisons can be trusted: how good the judge is on pairs with a known winner. */
export function checkNote(check: JudgeCheck | null): string {
  if (check === null) {
    return 'The judge was not checked on pairs with a known winner, so how far its verdicts can be trusted is unknown.';
  }
  const { winRate, interval, p, pairs, source, referenceShown, betterThanChance } = check;
  const range = interval === null ? '' : ` (95 % interval ${rangeText(interval)})`;
  const measured =
    `Accuracy of the judge on ${format.plural(pairs, 'pair')} with a known winner (${SOURCES[source]}): ` +
    `${format.percent(winRate!)}${range}, ties as half, invalid verdicts as wrong; ${format.pEquation(p!)} against 50 %.`;
  const shown =
    referenceShown && source === 'references'
      ? ' The judge sees the reference, so these pairs are easier than those of the comparisons.'
      : '';
  const verdict = betterThanChance
    ? ''
    : ' The judge is not better than chance on them: the win rates above are not evidence of quality.';
  return `${measured}${shown}${verdict}`;
}

const DEFINITIONS = [
  'Each pair is judged in both orders. An answer wins if both orders name it; otherwise, with two valid verdicts, it is a tie.',
  'Win rate of the first system: wins and half of the ties. Interval: bootstrap over rows. p: paired randomization test over rows.',
  'A named: share of the verdicts for A or B that name the answer shown first. Without position bias it is 50 %.',
];

/** Says which systems gave fewer answers than there are rows; each system is named once. */
function missingAnswers({ comparisons }: JudgeResults): string[] {
  const counts = new Map(
    comparisons.flatMap(({ left: first, right: second, missing }) => [
      [first, missing.left] as const,
      [second, missing.right] as const,
    ]),
  );
  return [...counts].flatMap(([system, count]) =>
    count === 0
      ? []
      : [
          `${system} gave no answer ${format.plural(count, 'time')}: these pairs are not judged, and not part of the win rates.`,
        ],
  );
}

function warnings(results: JudgeResults): string[] {
  const { comparisons, failures } = results;
  const undecided = comparisons.reduce((sum, tally) => sum + tally.undecided, 0);
  return [
    ...missingAnswers(results),
    ...(undecided === 0
      ? []
      : [
          `${format.plural(undecided, 'pair')} without a valid verdict in both orders: undecided, and not part of the win rates.`,
        ]),
    ...failures.map(
      ({ code, message, questions }) =>
        `${format.plural(questions, 'question')} failed with ${code}: ${message}`,
    ),
  ];
}

function judgeBlocks({ judge, promptTokens, generatedTokens, seconds }: JudgeResults): Block[] {
  const flag = (value: boolean) => (value ? 'yes' : 'no');
  return [
    {
      kind: 'facts',
      facts: [
        ['Model', judge.model],
        ['Explains', flag(judge.explain)],
        ['Grammar', flag(judge.constrained)],
        ['Temperature', String(judge.temperature)],
        ['Seed', String(judge.seed)],
        [
          'Tokens',
          `${format.integer(promptTokens)} prompt, ${format.integer(generatedTokens)} generated`,
        ],
        ['Time', format.duration(1000 * seconds)],
        ['Rubric', judge.rubric],
      ],
    },
    { kind: 'code', text: judge.prompt },
  ];
}
