// Runs a benchmark suite on every device of this machine, the CPU and each GPU, and compares them in tables. Run it again
// to continue where it was interrupted.
//
//   node examples/bench-suite-devices.mjs [smoke | small | … | suite.json] [directory]

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { devices, renderCommunityTable, runSuite, SUITES, writeReport } from 'llamatune';

const [name = 'smoke', directory = 'bench-results'] = process.argv.slice(2);
const suite = SUITES[name] ?? JSON.parse(await readFile(name, 'utf8'));

const machines = [];
for (const device of (await devices()).devices) {
  console.log(`${device.name}: ${device.description}`);
  const output = join(directory, device.name);
  const run = runSuite({ suite: { ...suite, devices: [device.name] }, output, resume: true });
  for await (const event of run) {
    if (event.type !== 'sample') continue;
    const { key, outcome, measures } = event.trial;
    const speed = measures.tokensPerSecond?.median.toFixed(1) ?? outcome.status;
    console.log(`  ${key}: ${speed} tokens/s`);
  }
  const results = await run.result;
  writeReport(results, output);
  machines.push({ name: device.name, results });
}
console.log(renderCommunityTable(machines, { format: 'text' }));
