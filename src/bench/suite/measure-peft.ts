import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LlamatuneError } from '../../errors.js';
import { withTemporaryFolder } from '../../files/temporary-folder.js';
import { LINEAR_LAYERS } from './plan.js';
import type { PeftTrial } from './results.js';
import { shapeOf } from './shapes.js';
import { type Measurement, measureOf, type OnProgress, present } from './trial.js';

const SCRIPT = fileURLToPath(new URL('../../../scripts/peft-bench.py', import.meta.url));

/** What the script prints. */
interface PeftRow {
  stepsMs: number[];
  /** When the last step had ended, in milliseconds since the epoch. */
  endedAt: number;
  peakMemoryBytes: number | null;
  deviceMemoryBytes: number | null;
  startToFirstStepSeconds: number;
  gradientCheckpointing: string;
  versions: Record<string, string>;
}

/**
 * Measures the same training with PyTorch and PEFT, in bf16.
 *
 * @throws LlamatuneError PEFT_NOT_FOUND, PEFT_FAILED
 */
export async function measurePeft(spec: PeftTrial, onProgress: OnProgress): Promise<Measurement> {
  return withTemporaryFolder(async (folder) => {
    const { sequenceLength, batchSize, rank, steps, warmup, device } = spec;
    const shapes = join(folder, 'shapes.json');
    const shape = { tieEmbeddings: true, ...shapeOf(spec.model), rank, targets: LINEAR_LAYERS };
    writeFileSync(shapes, JSON.stringify({ model: shape }));
    const options = {
      model: 'model',
      microBatch: batchSize,
      sequence: sequenceLength,
      ...{ steps, warmup, device, seconds: 0, untilStandardInputCloses: true },
    };
    const row = await run(spec.python, [SCRIPT, shapes, JSON.stringify(options)]);
    onProgress(1, 1);
    const tokens = sequenceLength * batchSize;
    const duration = row.stepsMs.reduce((total, each) => total + each, 0);
    return {
      measured: {
        from: row.endedAt - duration,
        to: row.endedAt,
        tokens: tokens * row.stepsMs.length,
      },
      measures: present({
        tokensPerSecond: measureOf(
          'tokens/s',
          row.stepsMs.map((ms) => (1000 * tokens) / ms),
        ),
        stepTime: measureOf(
          's',
          row.stepsMs.map((ms) => ms / 1000),
        ),
        startToFirstStep: measureOf('s', [row.startToFirstStepSeconds]),
        peakMemory: measureOf('bytes', [row.peakMemoryBytes]),
      }),
      details: {
        ...row.versions,
        gradientCheckpointing: row.gradientCheckpointing === 'on',
        deviceMemoryBytes: row.deviceMemoryBytes,
      },
      series: {},
      experts: null,
      expertSpans: [],
    };
  });
}

function run(python: string, args: string[]): Promise<PeftRow> {
  return new Promise((resolve, reject) => {
    // The open standard input ends the script together with this process.
    const child = spawn(python, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const text = { out: '', error: '' };
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text.out += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      text.error = (text.error + chunk).slice(-20_000);
    });
    child.on('error', (cause) => reject(notFound(`cannot run ${python}: ${cause.message}`)));
    child.on('close', (code) => {
      const last = text.error.trim().split('\n').at(-1) ?? '';
      if (code === 0) resolve(JSON.parse(text.out.trim().split('\n').at(-1)!));
      else if (/ModuleNotFoundError|ImportError/.test(last)) reject(notFound(last));
      else reject(new LlamatuneError('PEFT_FAILED', `PEFT ended with code ${code}: ${last}`));
    });
  });
}

const notFound = (reason: string): LlamatuneError =>
  new LlamatuneError(
    'PEFT_NOT_FOUND',
    `there is no Python with torch, transformers and peft: ${reason}`,
    {
      hint: 'pip install torch transformers peft, and name this Python in the benchmark',
    },
  );
