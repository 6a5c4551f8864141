import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runNode } from './command-line.js';
import { temporaryFolder, tinyModel } from './tiny-model.js';

const folder = temporaryFolder();
let path: string;
beforeAll(async () => {
  path = await tinyModel();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let workers = 0;
const start = (task: 'everything' | 'endless', env?: Record<string, string>) => {
  const output = join(folder, `worker-${workers++}.gguf`);
  const workerData = { path, folder, task, output };
  return new Worker(new URL('./worker.mjs', import.meta.url), {
    workerData,
    env: { ...process.env, ...env },
  });
};

describe('a worker thread', () => {
  it('can load, train, generate and benchmark', async () => {
    const [answer] = await once(start('everything'), 'message');
    expect(answer).toEqual({ steps: 3, generated: 4, measured: 1, refused: 'MODEL_NOT_FOUND' });
  });

  it('can do so at the same time as another worker', async () => {
    const workers = [start('everything'), start('everything')];
    const answers = await Promise.all(workers.map((worker) => once(worker, 'message')));
    for (const [answer] of answers) expect(answer).toMatchObject({ steps: 3, generated: 4 });
  });

  it('can be terminated repeatedly in the middle of its runs', async () => {
    const temporary = join(folder, 'temporary');
    mkdirSync(temporary);
    const env = { TMPDIR: temporary, TMP: temporary, TEMP: temporary };
    for (let round = 0; round < 3; round++) {
      const worker = start('endless', env);
      expect(await once(worker, 'message')).toEqual(['started']);
      expect(await worker.terminate()).toBe(1);
      expect(existsSync(join(folder, 'never.gguf'))).toBe(false);
      expect(readdirSync(temporary)).toHaveLength(1);
    }
    const [answer] = await once(start('everything', env), 'message');
    expect(answer).toMatchObject({ steps: 3 });
    expect(readdirSync(temporary)).toEqual([]);
  });
});

describe('the process', () => {
  const program = (body: string) => [
    '--input-type=module',
    '--eval',
    `import { finetuneLora, generate, loadModel } from './dist/index.js';
     const options = { model: ${JSON.stringify(path)}, dataset: [{ prompt: 'a', completion: 'b' }], batchSize: 1,
       sequenceLength: 16, threads: 1, output: ${JSON.stringify(join(folder, 'process.gguf'))} };
     ${body}`,
  ];

  it('stays alive until an unreferenced run has ended', async () => {
    const { exit, stdout } = await runNode(
      program(
        `finetuneLora({ ...options, epochs: 20 }).result.then(({ steps }) => console.log('steps', steps));`,
      ),
    );
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: 'steps 20\n' });
  });

  it('can exit in the middle of a run', async () => {
    const { exit, stderr } = await runNode(
      program(`const run = finetuneLora({ ...options, epochs: 1_000_000 });
        for await (const event of run) if (event.type === 'step' && event.step === 3) process.exit(7);`),
    );
    expect({ exit, stderr }).toEqual({ exit: 7, stderr: '' });
  });

  it('is not kept alive by a model that was not disposed, and prints nothing', async () => {
    const finished = await runNode(program(`await loadModel(options.model);`));
    expect(finished).toEqual({ exit: 0, stdout: '', stderr: '' });
  });

  it('does not load the addon on import', async () => {
    const { stdout } = await runNode(
      program(
        `console.log(process.report.getReport().sharedObjects.filter((f) => f.includes('llamatune')).length)`,
      ),
    );
    expect(stdout).toBe('0\n');
  });

  it('gets a hint if the addon is missing', async () => {
    const { exit, stdout } = await runNode(
      program(`process.env.LLAMATUNE_PREBUILD = ${JSON.stringify(folder)};
        await loadModel(options.model).catch(({ name, code, hint }) => console.log(name, code, hint));`),
    );
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^LlamatuneError ADDON_NOT_FOUND build it with "npm rebuild llamatune"/);
  });
});
