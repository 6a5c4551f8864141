// Measures training on the CPU in f32 and in bf16 and says whether the difference is beyond noise. bf16 is used where the
// CPU has units for it (AVX-512 BF16, AMX).
//
//   node examples/bench-suite-precision.mjs [model.gguf | shape:qwen3-0.6b] [directory]

import { join } from 'node:path';
import { compareResults, runSuite, systemInfo } from 'llamatune';

const [model = 'shape:qwen3-0.6b', directory = 'bench-precision'] = process.argv.slice(2);

async function measure(precision) {
  const suite = {
    name: 'precision',
    models: [model],
    weightTypes: ['Q8_0'],
    devices: ['cpu'],
    benchmarks: [
      {
        task: 'training',
        steps: 5,
        options: { precision, sequenceLength: 128, batchSize: 4 },
      },
    ],
  };
  const results = await runSuite({ suite, output: join(directory, precision), resume: true })
    .result;
  const [{ measures, outcome }] = results.trials;
  const { median, min, max } = measures.tokensPerSecond ?? {};
  console.log(
    outcome.status === 'ok'
      ? `${precision}: ${median.toFixed(1)} tokens/s (${min.toFixed(1)} to ${max.toFixed(1)})`
      : `${precision}: ${outcome.status}, ${outcome.message}`,
  );
  return results;
}

if (!systemInfo().cpuAccelerator?.fastBf16) console.log('This CPU or build has no fast bf16.');
const f32 = await measure('f32');
const bf16 = await measure('bf16');
for (const { measure: name, ratio, interval, verdict } of compareResults(f32, bf16).comparisons) {
  const range = interval?.map((value) => value.toFixed(2)).join(' to ') ?? 'n/a';
  console.log(`bf16 / f32, ${name}: ${ratio.toFixed(2)} (95 % interval ${range}): ${verdict}`);
}
