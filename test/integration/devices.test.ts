import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  devices,
  devicesSchema,
  estimateMemory,
  finetuneLora,
  loadModel,
  parseConfig,
  systemInfo,
  testDevice,
} from '../../src/index.js';
import { compileBrokenLibrary } from '../unit/contract/broken-library.js';
import { jsonLines, llamatune, root, runNode } from './command-line.js';
import { RpcServer } from './rpc-server.js';
import { temporaryFolder, tinyModel } from './tiny-model.js';

const folder = temporaryFolder();
const row = { prompt: 'Hi', completion: ' Hello.' };
const dataset = join(folder, 'train.jsonl');
let path: string;
let servers: RpcServer[] = [];
beforeAll(async () => {
  path = await tinyModel('tiny-long', { contextLength: 1024 });
  servers = await Promise.all([RpcServer.start(), RpcServer.start()]);
  writeFileSync(dataset, `${JSON.stringify(row)}\n`.repeat(8));
});
afterAll(() => {
  for (const server of servers) server.kill();
  rmSync(folder, { recursive: true, force: true });
});

describe('devices()', () => {
  it('lists the CPU, which supports every op, and the devices of systemInfo()', async () => {
    const list = await devices();
    expect(list.backends).toEqual(systemInfo().backends);
    const cpu = list.devices.find(({ type }) => type === 'cpu');
    expect(cpu).toMatchObject({
      name: 'CPU',
      backend: 'cpu',
      server: null,
      canTrain: true,
      reason: null,
      missingOps: [],
      otherWeightTypes: [],
      optimizers: ['adamw', 'sgd'],
      otherOptimizers: [],
    });
    expect(cpu!.memoryTotal).toBeGreaterThan(1e8);
    expect(cpu!.weightTypes).toEqual(expect.arrayContaining(['F32', 'BF16', 'Q4_K', 'Q8_0']));
    for (const device of list.devices) {
      expect(device.canTrain).toBe(device.missingOps.length === 0);
      expect(device.weightTypes).toContain('F16');
      expect(systemInfo().devices).toContainEqual(expect.objectContaining({ name: device.name }));
    }
    expect(list.unusable).toEqual([]);
  });

  it('testDevice() compares tiny models on a device with the CPU', async () => {
    const { passed, tests } = await testDevice({ device: 'cpu' });
    expect(tests.map((test) => `${test.architecture} ${test.weightType}`)).toEqual([
      'llama F16',
      'llama Q4_K_M',
      'qwen3 Q8_0',
      'gemma3 Q4_K_M',
      'qwen3moe Q8_0',
    ]);
    for (const test of tests) {
      expect(test.gradientError).toBeLessThan(0.04);
      expect(test.worstGradient).toMatch(/^blk\.\d\..+\.lora_[ab]$/);
      expect(test.lastLoss).toBeLessThan(test.firstLoss);
      expect(test.passed).toBe(true);
    }
    expect(passed).toBe(true);
    await expect(testDevice({ device: 'cuda7' })).rejects.toMatchObject({
      code: 'DEVICE_NOT_FOUND',
    });
    await expect(testDevice({ signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ABORTED',
    });
  });

  it('refuses an invalid address', () => {
    expect(() => parseConfig(devicesSchema, { rpc: ['worker'] })).toThrow('host:port');
  });
});

describe('the option device', () => {
  it('names the available devices if a device is missing, in every call, before the model is loaded', async () => {
    const expected = { code: 'DEVICE_NOT_FOUND', message: expect.stringContaining('cpu') };
    await expect(loadModel({ model: path, device: 'warp0' })).rejects.toMatchObject(expected);
    const run = finetuneLora({
      model: path,
      dataset: [row],
      output: join(folder, 'a.gguf'),
      device: 'warp0',
    });
    await expect(run.result).rejects.toMatchObject(expected);
    await expect(estimateMemory({ model: path, device: 'warp0' })).rejects.toMatchObject(expected);
  });

  it('cpu does not use a GPU', async () => {
    await using model = await loadModel({ model: path, device: 'cpu' });
    expect(model.onGpu).toBe(false);
  });

  it('refuses a placement that matches nothing', async () => {
    for (const placement of ['experts-on-cpu', { 'blk\\.99\\.': 'cpu' }] as const) {
      await expect(loadModel({ model: path, placement })).rejects.toMatchObject({
        code: 'PLACEMENT_INVALID',
      });
    }
    const rpc = [servers[0]!.address];
    await expect(
      loadModel({ model: path, device: 'rpc', rpc, tensorSplit: [1, 2] }),
    ).rejects.toMatchObject({
      code: 'PLACEMENT_INVALID',
      message: expect.stringContaining('1 proportions'),
    });
  });

  it('estimates with the memory of the chosen devices, not of this process', async () => {
    const rpc = [servers[0]!.address];
    const remote = (await devices({ rpc })).devices.find(({ server }) => server !== null);
    const memoryFree = remote!.memoryFree;
    const { availableBytes } = await estimateMemory({ model: path, device: 'rpc', rpc });
    expect(availableBytes / memoryFree).toBeGreaterThan(0.5);
    expect(availableBytes / memoryFree).toBeLessThan(2);
  });
});

describe('llamatune devices', () => {
  it('prints a table, and JSON', async () => {
    const { exit, stdout, stderr } = await llamatune(['devices', '--rpc', servers[0]!.address]);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(stdout).toMatch(/CPU .* yes /);
    expect(stdout).toContain(servers[0]!.address);
    const [line] = jsonLines((await llamatune(['devices', '--json'])).stdout);
    expect(line).toMatchObject({ type: 'devices', backends: expect.arrayContaining(['CPU']) });
  });
});

describe('a driver that ends the process', () => {
  const withVulkan = systemInfo().backends.includes('Vulkan');

  it.skipIf(!withVulkan || process.platform === 'win32')('causes a warning', async () => {
    const library = compileBrokenLibrary(folder, 'libbroken-driver.so');
    const driver = join(folder, 'driver.json');
    const icd = { library_path: library, api_version: '1.3.0' };
    writeFileSync(driver, JSON.stringify({ file_format_version: '1.0.0', ICD: icd }));
    const env = { VK_ICD_FILENAMES: driver, VK_DRIVER_FILES: driver };
    const { exit, stdout, stderr } = await llamatune(['devices', '--json'], { env });
    expect(exit).toBe(0);
    expect(stderr).toContain('LLAMATUNE_BACKEND_UNUSABLE');
    const [list] = jsonLines(stdout);
    expect(list).toMatchObject({
      backends: expect.not.arrayContaining(['Vulkan']),
      devices: [expect.objectContaining({ type: 'cpu', automatic: true })],
      unusable: [{ backend: 'vulkan', reason: expect.stringMatching(/SIG|exit code/) }],
    });
    // The environment variable that disables the back end must not be set for child processes.
    const script =
      "await (await import('llamatune')).devices(); console.log(process.env.GGML_DISABLE_VULKAN)";
    const ended = await runNode(['--input-type=module', '-e', script], { env });
    expect(ended.stdout).toBe('undefined\n');
  });
});

describe('docs/devices.md', () => {
  const text = readFileSync(join(root, 'docs/devices.md'), 'utf8');
  const lines = [...text.matchAll(/```sh\n([\s\S]*?)```/g)]
    .flatMap(([, block]) => block!.trim().split('\n'))
    .filter((line) => line.startsWith('llamatune '));

  it('contains commands', () => expect(lines.length).toBeGreaterThan(5));

  it.each(lines)('%s', async (line) => {
    mkdirSync(join(folder, 'checkpoints'), { recursive: true });
    const here = line
      .replaceAll('base.gguf', path)
      .replaceAll('train.jsonl', dataset)
      .replaceAll('adapter.gguf', join(folder, 'adapter.gguf'))
      .replaceAll(' checkpoints', ` ${join(folder, 'checkpoints')}`)
      .replaceAll('192.168.1.10:50052', servers[0]!.address)
      .replaceAll('192.168.1.11:50052', servers[1]!.address);
    const args = (here.match(/"[^"]*"|'[^']*'|\S+/g) ?? []).slice(1);
    const { exit, stderr } = await llamatune(
      args.map((arg) => arg.replace(/^(["'])(.*)\1$/, '$2')),
    );
    expect({ exit, stderr: stderr.replace(/^.*tokens\/s.*\n/gm, '') }).toEqual({
      exit: 0,
      stderr: '',
    });
  });
});
