// Measures this device: prompt processing, generation and LoRA training, in tokens per second. Prints a table and writes
// all samples to bench-<platform>.json, to compare devices.
//
//   node examples/bench-device.mjs base.gguf [directory] [--quick]

import { writeFile } from 'node:fs/promises';
import { arch, cpus, platform } from 'node:os';
import { join } from 'node:path';
import { bench, benchJson, benchMarkdown, systemInfo } from 'llamatune';

const args = process.argv.slice(2);
const quick = args.includes('--quick');
const [model, directory = '.'] = args.filter((arg) => !arg.startsWith('--'));
if (!model) {
  console.error('Usage: node examples/bench-device.mjs <base.gguf> [directory] [--quick]');
  process.exit(2);
}

const { devices, physicalCores } = systemInfo();
console.log(`${cpus()[0]?.model.trim()}, ${physicalCores} physical cores`);
for (const device of devices) {
  console.log(`${device.name}: ${device.description}, ${(device.memoryTotal / 1e9).toFixed(1)} GB`);
}

const run = bench({
  model,
  ...(quick
    ? {
        promptTokens: 32,
        generatedTokens: 8,
        training: { steps: 1, sequenceLength: 32 },
        warmup: 0,
        repetitions: 2,
      }
    : {
        promptTokens: 512,
        generatedTokens: 64,
        training: { steps: 3, sequenceLength: 256, microBatchSize: 1 },
        warmup: 1,
        repetitions: 5,
      }),
});
for await (const { kind, repetition, warmup, tokensPerSecond } of run) {
  console.log(
    `${kind} ${warmup ? 'warm-up' : 'repetition'} ${repetition}: ${tokensPerSecond.toFixed(1)} tokens/s`,
  );
}

const result = await run.result;
const path = join(directory, `bench-${platform()}-${arch()}.json`);
await writeFile(path, benchJson(result));
console.log(`\n${benchMarkdown(result)}\nwrote ${path}`);
