import { median } from 'simple-statistics';
import type { GenerateOptions } from '../../config/generate.js';
import { type GenerateResult, generate } from '../../generate/generate.js';
import type { GenerateManyResult } from '../../generate/generate-many.js';
import { now } from '../../hardware/reading.js';
import { loadModel } from '../../model/loaded-model.js';
import { nestedOptions } from './options.js';
import type { InferenceTrial } from './results.js';
import { type Measurement, measureOf, type OnProgress, present, splitPlacement } from './trial.js';

/** The options of a trial: the same number of tokens in every run, and the most likely token every time. */
export const INFERENCE_DEFAULTS = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  maxTokens: 128,
  ignoreEos: true,
};

/** Measures the generation of an answer, or of the `n` answers, `spec.runs` times, with the model in memory. */
export async function measureInference(
  spec: InferenceTrial,
  modelPath: string,
  onProgress: OnProgress,
): Promise<Measurement> {
  const given = nestedOptions({ ...INFERENCE_DEFAULTS, device: spec.device, ...spec.options });
  const { placement, others } = splitPlacement(given);
  const started = performance.now();
  await using model = await loadModel({ model: modelPath, purpose: 'generate', ...placement });
  const loadSeconds = (performance.now() - started) / 1000;
  const runs: (GenerateResult | GenerateManyResult)[] = [];
  let from = now();
  for (let i = 0; i < spec.warmup + spec.runs; i++) {
    if (i === spec.warmup) from = now();
    const options = { model, prompt: spec.prompt, ...others } as GenerateOptions;
    const result: GenerateResult | GenerateManyResult = await generate(options).result;
    if (i >= spec.warmup) runs.push(result);
    onProgress(i + 1, spec.warmup + spec.runs, result);
  }
  const to = now();
  const { promptTokens, generatedTokens, flashAttention, experts } = runs.at(-1)!;
  return {
    measured: { from, to, tokens: runs.reduce((total, run) => total + run.generatedTokens, 0) },
    measures: present({
      tokensPerSecond: measureOf(
        'tokens/s',
        runs.map((run) => run.tokensPerSecond),
      ),
      promptTokensPerSecond: measureOf(
        'tokens/s',
        runs.map((run) => run.promptTokensPerSecond),
      ),
      timeToFirstToken: measureOf('s', runs.map(secondsToFirstToken)),
      loadTime: measureOf('s', [loadSeconds]),
      peakMemory: measureOf('bytes', [peakMemoryBytes()]),
    }),
    details: {
      ...others,
      promptTokens,
      generatedTokens,
      flashAttention,
      parameters: model.info.parameters,
      modelBytes: model.info.bytes,
      model: model.info.description,
    },
    experts,
    expertSpans: [],
    series: {},
  };
}

/** Of several answers the median. Throws the error of an answer that failed. */
function secondsToFirstToken(run: GenerateResult | GenerateManyResult): number {
  if (!('sequences' in run)) return run.timeToFirstTokenMs / 1000;
  const failed = run.sequences.find(({ error }) => error !== null);
  if (failed) throw failed.error;
  return median(run.sequences.map(({ timeToFirstTokenMs }) => timeToFirstTokenMs! / 1000));
}

/** Most resident memory of this process so far. */
const peakMemoryBytes = (): number => process.resourceUsage().maxRSS * 1024;
