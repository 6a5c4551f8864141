import * as format from '../format.js';
import {
  type GeneratedSequence,
  type GenerateManyResult,
  type GenerateManyRun,
  LlamatuneError,
} from '../index.js';
import { expertsText } from './experts-text.js';
import type { CliIo } from './io.js';
import { jsonLine } from './json.js';

/**
 * Writes the answers of a run: with `json` every event, otherwise the texts in the order of prompts and samples.
 *
 * @throws LlamatuneError ANSWERS_FAILED if some failed, after the others were written.
 */
export async function writeManyAnswers(
  run: GenerateManyRun,
  io: CliIo,
  json: boolean,
  samples: number,
): Promise<void> {
  // A closed standard output (`| head`) is not a failure; stop generating.
  io.outputClosed.addEventListener('abort', () => run.abort());
  const inOrder = new InOrder(samples, (sequence) => writeAnswer(sequence, io));
  try {
    for await (const event of run) {
      if (json) io.stdout.write(jsonLine(withPlainError(event)));
      else if (event.type === 'sequence') inOrder.add(event);
    }
  } catch (error) {
    if (io.outputClosed.aborted && !io.signal.aborted) return;
    throw error;
  }
  const { sequences, ...totals } = await run.result;
  if (json) io.stdout.write(jsonLine({ type: 'done', result: totals }));
  else io.stderr.write(`${manyStatistics({ sequences, ...totals })}\n`);
  if (totals.failed > 0) throw failure(sequences, totals.failed);
}

/** JSON has no errors: code, message and hint as an object. */
function withPlainError(event: object): object {
  const { error } = event as { error?: LlamatuneError | null };
  if (!error) return event;
  const { code, message, hint } = error;
  return { ...event, error: { code, message, hint } };
}

function writeAnswer({ promptIndex, sampleIndex, text, error }: GeneratedSequence, io: CliIo) {
  const name = `prompt ${promptIndex}, sample ${sampleIndex}`;
  if (error) io.stderr.write(`${name}: ${error.message}\n`);
  else io.stdout.write(`--- ${name} ---\n${text}${text.endsWith('\n') ? '' : '\n'}`);
}

/** Passes on sequences by prompt, then by sample, each as soon as all before it have come. */
export class InOrder {
  readonly #samples: number;
  readonly #write: (sequence: GeneratedSequence) => void;
  /** By number: promptIndex · samples + sampleIndex. */
  readonly #waiting = new Map<number, GeneratedSequence>();
  #next = 0;

  constructor(samples: number, write: (sequence: GeneratedSequence) => void) {
    this.#samples = samples;
    this.#write = write;
  }

  add(sequence: GeneratedSequence): void {
    this.#waiting.set(sequence.promptIndex * this.#samples + sequence.sampleIndex, sequence);
    for (;;) {
      const next = this.#waiting.get(this.#next);
      if (next === undefined) return;
      this.#waiting.delete(this.#next);
      this.#write(next);
      this.#next++;
    }
  }
}

/** '8 answers, 512 tokens, 210.0 tokens/s  ·  …' */
function manyStatistics(result: GenerateManyResult): string {
  const computed = result.promptTokens - result.sharedPromptTokens;
  const experts = expertsText(result.experts);
  return [
    `${result.sequences.length} answers, ${result.generatedTokens} tokens, ${format.rate(result.tokensPerSecond)} tokens/s`,
    `${result.parallel} at once`,
    `prompts ${computed} tokens, ${format.rate(result.promptTokensPerSecond)} tokens/s, ${result.sharedPromptTokens} shared`,
    format.duration(result.totalMs),
    ...(experts === undefined ? [] : [`experts ${experts}`]),
  ].join('  ·  ');
}

function failure(sequences: readonly GeneratedSequence[], failed: number): LlamatuneError {
  const first = sequences.find(({ error }) => error !== null)!;
  return new LlamatuneError(
    'ANSWERS_FAILED',
    `${failed} of ${sequences.length} answers failed, the first one with ${first.error!.code}: ${first.error!.message}`,
    { hint: first.error!.hint },
  );
}
