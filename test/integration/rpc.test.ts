import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  devices,
  type FinetuneOptions,
  type FinetuneRun,
  finetuneFull,
  finetuneLora,
  generate,
  loadModel,
} from '../../src/index.js';
import { freePort, RpcServer } from './rpc-server.js';
import { temporaryFolder, tinyModel } from './tiny-model.js';

// Real servers in separate processes, on loopback, in place of the GPUs of other machines.

const folder = temporaryFolder();
let path: string;
let first: RpcServer;
let second: RpcServer;
beforeAll(async () => {
  path = await tinyModel();
  [first, second] = await Promise.all([RpcServer.start(), RpcServer.start()]);
});
afterAll(() => {
  first.kill();
  second.kill();
  rmSync(folder, { recursive: true, force: true });
});

const rows = ['red', 'blue', 'green', 'grey', 'pink', 'teal', 'gold', 'lime'].map(
  (completion, i) => ({ prompt: `Colour ${i}?`, completion: ` ${completion}` }),
);

const quick = (options: Partial<FinetuneOptions> = {}): FinetuneOptions => ({
  model: path,
  dataset: rows,
  output: join(folder, 'adapter.gguf'),
  sequenceLength: 32,
  batchSize: 4,
  microBatchSize: 2,
  epochs: 4,
  threads: 1,
  ...(options.rpc && options.device === undefined ? { device: 'rpc' } : {}),
  optimizer: { learningRate: 1e-3 },
  ...options,
});

function expectClose(received: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(received.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    expect(Math.abs(received[i]! - expected[i]!)).toBeLessThan(1e-4 * expected[i]!);
  }
}

async function firstStepOf(run: FinetuneRun): Promise<number | undefined> {
  let first: number | undefined;
  for await (const event of run) if (event.type === 'step') first ??= event.step;
  return first;
}

describe('training over RPC', () => {
  it('on two servers gives the losses of local training', async () => {
    const local = await finetuneLora(quick({ device: 'cpu' })).result;
    const rpc = [first.address, second.address];
    const remote = await finetuneLora(quick({ rpc, validation: { dataset: rows } })).result;
    expectClose(remote.losses, local.losses);
    expect(remote.losses.at(-1)).toBeLessThan(remote.losses[0]!);
    expect(remote.finalValidationLoss).toBeGreaterThan(0);
  });

  it('gives the same losses with any split and placement', async () => {
    const local = await finetuneLora(quick({ device: 'cpu' })).result;
    const rpc = [first.address, second.address];
    for (const where of [
      { tensorSplit: [1, 2] },
      { gpuLayers: 1 },
      { device: second.address },
      { placement: { 'ffn_(up|down)': 'cpu', attn_q: first.address } },
      { gradientCheckpointing: true },
    ]) {
      expectClose((await finetuneLora(quick({ rpc, ...where })).result).losses, local.losses);
    }
  });

  it('works for full fine-tuning', async () => {
    const output = join(folder, 'whole.gguf');
    // A larger epsilon, because AdamW updates parameters with tiny gradients by the sign of the rounding error.
    const optimizer = { learningRate: 1e-3, epsilon: 1e-3 };
    const options = { output, epochs: 2, optimizer };
    const local = await finetuneFull(quick({ ...options, device: 'cpu' })).result;
    const remote = await finetuneFull(quick({ ...options, rpc: [first.address] })).result;
    expectClose(remote.losses, local.losses);
    await using trained = await loadModel(output);
    expect(trained.info.layers).toBe(2);
  });

  it('writes an adapter that generates the same text locally and remotely', async () => {
    const output = join(folder, 'remote.gguf');
    await finetuneLora(quick({ output, rpc: [first.address] })).result;
    const answer = async (where: { rpc?: string[] }) =>
      generate({
        ...where,
        model: path,
        prompt: 'Colour 1?',
        adapters: output,
        temperature: 0,
        maxTokens: 12,
        threads: 1,
      }).result;
    const remote = await answer({ rpc: [first.address] });
    expect(remote.text).toBe((await answer({})).text);
  });

  it('lists servers with their devices', async () => {
    const list = await devices({ rpc: [first.address] });
    expect(list.backends).toContain('RPC');
    expect(list.devices).toContainEqual(
      expect.objectContaining({
        backend: 'rpc',
        server: first.address,
        automatic: true,
        canTrain: null,
        memoryTotal: expect.any(Number),
      }),
    );
    // Only the call that names the server lists it.
    expect((await devices()).devices.filter(({ backend }) => backend === 'rpc')).toEqual([]);
  });

  it('names all unreachable servers before a model is loaded', async () => {
    const nobody = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    const rpc = [nobody[0]!, first.address, nobody[1]!];
    const run = finetuneLora(quick({ model: join(folder, 'none.gguf'), rpc }));
    const error = await run.result.catch((reason: unknown) => reason as Error);
    // The path is checked before the servers.
    expect(error).toMatchObject({ code: 'MODEL_NOT_FOUND' });
    const unreachable = await finetuneLora(quick({ rpc })).result.catch((e: Error) => e);
    expect(unreachable).toMatchObject({ code: 'RPC_UNREACHABLE' });
    for (const server of nobody) expect((unreachable as Error).message).toContain(server);
    expect((unreachable as Error).message).not.toContain(first.address);
  });

  it('fails if a server accepts the connection but never answers', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    try {
      await expect(loadModel({ model: path, rpc: [`127.0.0.1:${port}`] })).rejects.toMatchObject({
        code: 'RPC_UNREACHABLE',
      });
    } finally {
      silent.close();
    }
  });

  it('fails if a server is killed, and resumes from the last checkpoint', async () => {
    const checkpoint = (resume: false | 'latest') => ({
      checkpoint: { directory: join(folder, 'checkpoints'), everySteps: 2, resume },
    });
    const rpc = [first.address, second.address];
    const whole = await finetuneLora(quick({ rpc, epochs: 6 })).result;

    const run = finetuneLora(quick({ rpc, epochs: 6, ...checkpoint(false) }));
    const killAtStep5 = async () => {
      for await (const event of run) if (event.type === 'step' && event.step === 5) second.kill();
    };
    await expect(killAtStep5()).rejects.toMatchObject({
      code: 'RPC_SERVER_LOST',
      message: expect.stringContaining(second.address),
    });

    second = await RpcServer.start(second.port);
    const resumed = finetuneLora(quick({ rpc, epochs: 6, ...checkpoint('latest') }));
    expect(await firstStepOf(resumed)).toBe(5);
    const { steps, losses } = await resumed.result;
    expect(steps).toBe(whole.steps);
    expectClose(losses, whole.losses);
  });

  it('resumes a checkpoint on another device', async () => {
    const checkpoint = (resume: false | 'latest') => ({
      checkpoint: { directory: join(folder, 'moved'), everySteps: 5, resume },
    });
    const rpc = [first.address];
    const whole = await finetuneLora(quick({ device: 'cpu' })).result;
    for (const [from, to] of [
      [{ rpc }, { device: 'cpu' }],
      [{ device: 'cpu' }, { rpc, gpuLayers: 1 }],
    ]) {
      rmSync(join(folder, 'moved'), { recursive: true, force: true });
      const run = finetuneLora(quick({ ...from, ...checkpoint(false) }));
      const stopAtCheckpoint = async () => {
        for await (const event of run) if (event.type === 'checkpoint') run.abort();
      };
      await expect(stopAtCheckpoint()).rejects.toMatchObject({ code: 'ABORTED' });
      const resumed = finetuneLora(quick({ ...to, ...checkpoint('latest') }));
      expect(await firstStepOf(resumed)).toBeGreaterThan(5);
      expectClose((await resumed.result).losses, whole.losses);
    }
  });

  it('can have two runs on one server at the same time', async () => {
    const alone = await finetuneLora(quick({ rpc: [first.address] })).result;
    const together = await Promise.all(
      ['one.gguf', 'two.gguf'].map(
        (name) => finetuneLora(quick({ rpc: [first.address], output: join(folder, name) })).result,
      ),
    );
    for (const { losses } of together) expectClose(losses, alone.losses);
  });

  it('fails if a server is killed while it generates or between two runs', async () => {
    const model = await loadModel({ model: path, rpc: [second.address] });
    const run = generate({ model, prompt: 'Once', maxTokens: 200, ignoreEos: true, threads: 1 });
    const killAtToken3 = async () => {
      let n = 0;
      for await (const _ of run) if (++n === 3) second.kill();
    };
    await expect(killAtToken3()).rejects.toMatchObject({ code: 'RPC_SERVER_LOST' });
    await expect(generate({ model, prompt: 'Once' }).result).rejects.toMatchObject({
      code: 'RPC_SERVER_LOST',
    });
    await model.dispose();
    await expect(loadModel({ model: path, rpc: [second.address] })).rejects.toMatchObject({
      code: 'RPC_UNREACHABLE',
    });
    second = await RpcServer.start(second.port);
    await using restarted = await loadModel({ model: path, rpc: [second.address] });
    expect(restarted.onGpu).toBe(true);
  });

  it.skipIf(process.platform === 'win32')('can be aborted while a server hangs', async () => {
    const third = await RpcServer.start();
    try {
      const run = finetuneLora(quick({ rpc: [third.address], epochs: 1000 }));
      const freeze = async () => {
        for await (const event of run) {
          if (event.type !== 'step' || event.step !== 2) continue;
          third.freeze();
          await sleep(500); // until the run waits for it
          run.abort();
        }
      };
      await expect(freeze()).rejects.toMatchObject({ code: 'ABORTED' });
    } finally {
      third.kill();
    }
  });
});
