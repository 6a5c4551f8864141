// One row of the benchmark from the rounds of one comparison, and its table.
import { median } from '../bench-training/row.mjs';
import { alignColumns } from '../bench-training/table.mjs';

const speeds = ['prompt', 'generation', 'generationAlone'];

/** Estimates the time to the first token of llama-bench, which does not measure it: the prompt and one token. */
export const firstTokenMs = ({ prompt, generation }, promptTokens) =>
  (promptTokens * 1000) / prompt + 1000 / generation;

/** Ratios are computed within each round, so that changes of the machine's speed affect both sides. */
export function buildRow(spec, rounds) {
  const of = (pick) => median(rounds.map(pick));
  const rates = (side) =>
    Object.fromEntries(speeds.map((name) => [name, of((round) => round[side][name])]));
  const reference = (round) => firstTokenMs(round.llamaBench, spec.prompt);
  const { model, type, prompt, tokens, sequences, threads } = spec;
  const together = (side) => of((round) => round[side].generationTogether);
  return {
    model,
    type,
    prompt,
    tokens,
    sequences,
    threads,
    rounds: rounds.length,
    tokensPerSecond: {
      llamaBench: rates('llamaBench'),
      plain: rates('plain'),
      adapted: rates('adapted'),
    },
    firstTokenMs: {
      llamaBench: of(reference),
      plain: of(({ plain }) => plain.firstTokenMs),
      adapted: of(({ adapted }) => adapted.firstTokenMs),
    },
    /** Speed of generate() divided by that of llama-bench; above 1, generate() is faster. */
    ratio: {
      ...Object.fromEntries(
        speeds.map((name) => [name, of(({ plain, llamaBench }) => plain[name] / llamaBench[name])]),
      ),
      firstToken: of((round) => reference(round) / round.plain.firstTokenMs),
    },
    /** Several sequences together: tokens per second of all of them, and that divided by the speed of one. */
    together: {
      tokensPerSecond: { plain: together('plain'), adapted: together('adapted') },
      ratio: of(({ plain }) => plain.generationTogether / plain.generationAlone),
    },
    /** Speed of generate() with an adapter divided by the speed without. */
    adapterRatio: {
      ...Object.fromEntries(
        speeds.map((name) => [name, of(({ plain, adapted }) => adapted[name] / plain[name])]),
      ),
      firstToken: of(({ plain, adapted }) => plain.firstTokenMs / adapted.firstTokenMs),
    },
  };
}

export function textTable(row) {
  const { tokensPerSecond: rate, ratio, adapterRatio } = row;
  const line = (title, name, unit, values) => [
    title,
    ...['llamaBench', 'plain', 'adapted'].map((side) => `${values(side).toFixed(1)} ${unit}`),
    ratio[name].toFixed(2),
    adapterRatio[name].toFixed(2),
  ];
  const cells = [
    ['', 'llama-bench', 'generate()', 'with adapter', 'ratio', 'adapter'],
    line(`prompt of ${row.prompt}`, 'prompt', 'tok/s', (side) => rate[side].prompt),
    line(`${row.tokens} after it`, 'generation', 'tok/s', (side) => rate[side].generation),
    line(`${row.tokens} alone`, 'generationAlone', 'tok/s', (side) => rate[side].generationAlone),
    line('first token', 'firstToken', 'ms', (side) => row.firstTokenMs[side]),
  ];
  const { tokensPerSecond: together, ratio: gain } = row.together;
  const sentence =
    `${row.sequences} sequences together: ${together.plain.toFixed(1)} tok/s, ${gain.toFixed(2)} times one; ` +
    `with adapter ${together.adapted.toFixed(1)} tok/s`;
  return `${alignColumns(cells, 1)}\n${sentence}`;
}
