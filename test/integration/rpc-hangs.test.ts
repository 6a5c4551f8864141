import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  devices,
  type FinetuneOptions,
  finetuneLora,
  generate,
  loadModel,
} from '../../src/index.js';
import { root, runNode } from './command-line.js';
import { RpcServer } from './rpc-server.js';
import { temporaryFolder, tinyModel } from './tiny-model.js';

// Servers that are stopped (SIGSTOP): their connections stay open, but they do not answer.

const folder = temporaryFolder();
let path: string;
beforeAll(async () => {
  path = await tinyModel();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const quick = (server: RpcServer, options: Partial<FinetuneOptions> = {}): FinetuneOptions => ({
  model: path,
  dataset: Array.from({ length: 8 }, (_, i) => ({ prompt: `Colour ${i}?`, completion: ' red' })),
  output: join(folder, 'adapter.gguf'),
  rpc: [server.address],
  device: 'rpc',
  sequenceLength: 32,
  batchSize: 4,
  microBatchSize: 2,
  threads: 1,
  ...options,
});

/** Resolves at step `n` of the run, which continues. */
async function untilStep(run: ReturnType<typeof finetuneLora>, n: number): Promise<void> {
  for await (const event of run) if (event.type === 'step' && event.step === n) return;
}

describe.skipIf(process.platform === 'win32')('an RPC server that hangs', () => {
  // Processes that wait, mostly for a limit of ten seconds.
  it.concurrent.each([
    ['with a request under way', ''],
    ['and disposes of the model', 'await model.dispose();'],
    [
      'in the middle of a run',
      "generate({ model, prompt: 'Once' }); await seconds(1); process.exit();",
    ],
  ])('does not keep a process from ending, %s', async (_, end) => {
    using server = await RpcServer.start();
    const at = JSON.stringify(pathToFileURL(join(root, 'dist/index.js')).href);
    const where = JSON.stringify({ model: path, rpc: [server.address], device: 'rpc' });
    const script = `
      import { devices, generate, loadModel } from ${at};
      const seconds = (n) => new Promise((resolve) => setTimeout(resolve, 1000 * n));
      const model = await loadModel(${where});
      console.log(model.onGpu);
      await seconds(1); // the server freezes
      devices(${JSON.stringify({ rpc: [server.address] })}).catch(({ code }) => console.log(code));
      await seconds(1);
      ${end}`;
    const ended = await runNode(['--input-type=module', '-e', script], {
      onOutput: () => server.freeze(),
    });
    expect(ended).toMatchObject({ exit: 0, stdout: expect.stringMatching(/^true\n/) });
  });

  it('is named by devices() and loadModel(), also while a model is loaded', async () => {
    using server = await RpcServer.start();
    await using model = await loadModel({ model: path, rpc: [server.address], device: 'rpc' });
    server.freeze();
    const unreachable = {
      code: 'RPC_UNREACHABLE',
      message: expect.stringContaining(server.address),
    };
    await expect(devices({ rpc: [server.address] })).rejects.toMatchObject(unreachable);
    await expect(loadModel({ model: path, rpc: [server.address] })).rejects.toMatchObject(
      unreachable,
    );
    server.thaw();
    expect((await generate({ model, prompt: 'Once', maxTokens: 4 }).result).text).toBeTypeOf(
      'string',
    );
  });

  it('does not delay the abort of a load, while it connects or sends weights', async () => {
    using server = await RpcServer.start();
    const large = await tinyModel('rpc-hangs-large', { embeddingLength: 1024, layers: 4 }); // fills the sockets
    const load = (signal: AbortSignal, onProgress?: (fraction: number) => void) =>
      loadModel({ model: large, rpc: [server.address], device: 'rpc', signal, onProgress });
    const sending = new AbortController();
    let frozen = false;
    const loading = load(sending.signal, () => {
      if (frozen) return;
      frozen = true;
      server.freeze();
      setTimeout(() => sending.abort(), 200);
    });
    await expect(loading).rejects.toMatchObject({ code: 'ABORTED' });
    server.freeze();
    await expect(load(AbortSignal.timeout(200))).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('does not break the connection of another run when a run is aborted', async () => {
    using server = await RpcServer.start();
    const one = finetuneLora(quick(server, { epochs: 100_000, output: join(folder, 'one.gguf') }));
    const other = finetuneLora(quick(server, { epochs: 40, output: join(folder, 'other.gguf') }));
    const ended = Promise.allSettled([one.result, other.result]);
    await Promise.all([untilStep(one, 2), untilStep(other, 2)]);
    server.freeze();
    await sleep(500); // until both wait for it
    one.abort();
    await expect(one.result).rejects.toMatchObject({ code: 'ABORTED' });
    server.thaw();
    const [, finished] = await ended;
    expect(finished).toMatchObject({ status: 'fulfilled', value: { steps: 80 } });
  });
});

describe('an RPC server that was restarted', () => {
  it('is not disturbed by a model of the old server, whose calls fail with RPC_SERVER_LOST', async () => {
    using server = await RpcServer.start();
    await using model = await loadModel({ model: path, rpc: [server.address], device: 'rpc' });
    server.kill();
    const lost = { code: 'RPC_SERVER_LOST' };
    await expect(generate({ model, prompt: 'Once' }).result).rejects.toMatchObject(lost);
    using restarted = await RpcServer.start(server.port);
    await expect(generate({ model, prompt: 'Once' }).result).rejects.toMatchObject(lost);
    const run = finetuneLora({ ...quick(server), model, rpc: undefined, device: undefined });
    await expect(run.result).rejects.toMatchObject(lost);
    const list = await devices({ rpc: [restarted.address] });
    expect(list.devices).toContainEqual(expect.objectContaining({ server: restarted.address }));
  });
});

describe('placement', () => {
  it('accepts the chosen devices and the CPU, and names all rules with other devices', async () => {
    using server = await RpcServer.start();
    using second = await RpcServer.start();
    const run = finetuneLora(
      quick(server, {
        rpc: [server.address, second.address],
        device: server.address,
        placement: { ffn_up: second.address, ffn_down: second.address, attn_q: 'cpu' },
      }),
    );
    const error = await run.result.catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: 'PLACEMENT_INVALID' });
    for (const word of ['ffn_up', 'ffn_down', second.address])
      expect((error as Error).message).toContain(word);
    expect((error as Error).message).not.toContain('attn_q');
  });

  it('may leave a chosen device without weights, also the device of the output layer', async () => {
    using server = await RpcServer.start();
    const local = await finetuneLora(quick(server, { rpc: undefined, device: 'cpu' })).result;
    const places: Partial<FinetuneOptions>[] = [
      { placement: { '.': 'cpu' } },
      { gpuLayers: 1, placement: { '^(output|token_embd)': 'cpu' } },
    ];
    for (const where of places) {
      const { losses } = await finetuneLora(quick(server, where)).result;
      losses.forEach((loss, i) => {
        expect(Math.abs(loss - local.losses[i]!)).toBeLessThan(1e-4 * local.losses[i]!);
      });
    }
  });
});
