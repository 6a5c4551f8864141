/** The process of one trial: it receives a TrialRequest, sends TrialMessages and ends. */
import { loadavg } from 'node:os';
import { LlamatuneError } from '../../errors.js';
import * as format from '../../format.js';
import { measurePeak } from '../peak.js';
import { measureInference } from './measure-inference.js';
import { measurePeft } from './measure-peft.js';
import { measureTraining } from './measure-training.js';
import type { TrialResult } from './results.js';
import type { Measurement, OnProgress, TrialMessage, TrialRequest } from './trial.js';

const MEMORY_INTERVAL_MS = 50;

/** Sends a message; resolves when the runner's end of the channel has it. */
const send = (message: TrialMessage): Promise<void> =>
  new Promise((resolve) => process.send!(message, () => resolve()));

/** Ends the process as soon as its resident memory exceeds the limit. */
function limitMemory(limitBytes: number): void {
  const timer = setInterval(async () => {
    const bytes = process.memoryUsage.rss();
    if (bytes <= limitBytes) return;
    clearInterval(timer);
    await send({
      type: 'oom',
      message: `the process used ${format.bytes(bytes)}, more than the limit of ${format.bytes(limitBytes)}`,
    });
    process.kill(process.pid, 'SIGKILL');
  }, MEMORY_INTERVAL_MS);
}

async function peakGflops(request: TrialRequest): Promise<number | null> {
  if (!request.measurePeak) return null;
  const threads = request.spec.options.threads;
  const options = typeof threads === 'number' ? { threads } : {};
  return (await measurePeak({ precision: 'bf16', ...options })).medianGflops;
}

/** Writes a line of the raw log of the trial. */
const log = (entry: object): void => void process.stderr.write(`${JSON.stringify(entry)}\n`);

async function run(request: TrialRequest): Promise<void> {
  log(request);
  limitMemory(request.memoryLimitBytes);
  // Windows does not report a load.
  const loadBefore = process.platform === 'win32' ? null : loadavg()[0]!;
  const peakBefore = await peakGflops(request);
  const onProgress: OnProgress = (done, of, sample) => {
    log({ done, of, ...sample });
    void send({ type: 'progress', done, of });
  };
  const measurement = await measure(request, onProgress);
  const noise: TrialResult['noise'] = {
    loadBefore,
    peakBefore,
    peakAfter: await peakGflops(request),
  };
  log(noise);
  await send({ type: 'result', measurement, noise });
}

function measure({ spec, modelPath }: TrialRequest, onProgress: OnProgress): Promise<Measurement> {
  switch (spec.kind) {
    case 'inference':
      return measureInference(spec, modelPath, onProgress);
    case 'training':
      return measureTraining(spec, modelPath, onProgress);
    case 'peft':
      return measurePeft(spec, onProgress);
  }
}

process.once('message', async (request: TrialRequest) => {
  try {
    await run(request);
  } catch (error) {
    const code = error instanceof LlamatuneError ? error.code : 'FAILED';
    log({ error: code, message: (error as Error).message });
    await send({ type: 'error', code, message: (error as Error).message });
  }
  process.exit();
});
// The runner has ended: nobody reads the result.
process.once('disconnect', () => process.exit(1));
