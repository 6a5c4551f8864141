// Answers a question, with an optional LoRA adapter, and streams the tokens.
//
//   node examples/generate.mjs base.gguf "What is the capital of France?" [adapter.gguf]

import { generate } from 'llamatune';

const [model, question, adapter] = process.argv.slice(2);
if (!question) {
  console.error('Usage: node examples/generate.mjs <base.gguf> <question> [adapter.gguf]');
  process.exit(2);
}

const run = generate({
  model,
  messages: [{ role: 'user', content: question }],
  adapters: adapter === undefined ? [] : [{ path: adapter, scale: 1 }],
  maxTokens: 64,
  temperature: 0,
});
for await (const { text } of run) process.stdout.write(text);

const { generatedTokens, timeToFirstTokenMs, tokensPerSecond, finishReason } = await run.result;
console.log(
  `\n${generatedTokens} tokens, first after ${timeToFirstTokenMs.toFixed(0)} ms, ` +
    `${tokensPerSecond?.toFixed(1)} tokens/s, ended by ${finishReason}`,
);
