// Measures generate() once, without and with an adapter, and prints it as JSON.
// node measure.mjs '{"path":"….gguf","adapter":"….gguf","prompt":512,"tokens":32,"sequences":8,"threads":2}'
import { generate, loadModel } from '../../dist/index.js';
import { printTrial } from '../bench-training/trial.mjs';

/** A text with this number of tokens. */
function textOf(model, tokens) {
  const words = ' the'; // one token of every vocabulary that is used here
  const text = (n) => words.repeat(n);
  const extra = model.tokenize(text(tokens)).length - tokens; // BOS and the like
  const found = text(tokens - extra);
  const length = model.tokenize(found).length;
  if (length !== tokens)
    throw new Error(`cannot make a text of ${tokens} tokens, only of ${length}`);
  return found;
}

async function run(model, spec, prompt, maxTokens, adapters) {
  const { result } = generate({
    model,
    prompt,
    maxTokens,
    adapters,
    temperature: 0,
    ignoreEos: true,
    threads: spec.threads,
  });
  return await result;
}

/** Several sequences that are decoded together. */
async function runTogether(model, spec, prompt, adapters) {
  const n = spec.sequences;
  const { result } = generate({
    model,
    prompt,
    n,
    parallel: n,
    maxTokens: spec.tokens + 1,
    adapters,
    ignoreEos: true,
    threads: spec.threads,
  });
  return await result;
}

async function measure(spec) {
  const model = await loadModel({ model: spec.path, purpose: 'generate' });
  try {
    return {
      plain: await measureWith(model, spec, []),
      adapted: await measureWith(model, spec, [spec.adapter]),
    };
  } finally {
    await model.dispose();
  }
}

async function measureWith(model, spec, adapters) {
  const long = textOf(model, spec.prompt);
  const short = textOf(model, 1 + model.tokenize('').length);
  await run(model, spec, long, 2, adapters); // warm-up
  // one more token, because the rate excludes the first
  const after = await run(model, spec, long, spec.tokens + 1, adapters);
  const alone = await run(model, spec, short, spec.tokens + 1, adapters);
  const together = await runTogether(model, spec, short, adapters);
  if (after.promptTokens !== spec.prompt || after.generatedTokens !== spec.tokens + 1) {
    throw new Error(
      `processed ${after.promptTokens} and generated ${after.generatedTokens} tokens instead of ${spec.prompt} and ${spec.tokens + 1}`,
    );
  }
  return {
    prompt: after.promptTokensPerSecond,
    generation: after.tokensPerSecond,
    generationAlone: alone.tokensPerSecond,
    generationTogether: together.tokensPerSecond,
    firstTokenMs: after.timeToFirstTokenMs,
  };
}

await printTrial(measure);
