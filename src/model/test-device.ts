import { parseConfig } from '../config/parse.js';
import { type TestDeviceOptions, testDeviceSchema } from '../config/test-device.js';
import { nativeRun } from '../contract/load.js';
import type { DeviceTest } from '../contract/model.js';
import { withTemporaryFolder } from '../files/temporary-folder.js';

/** The result of testDevice(). */
export interface DeviceTestReport {
  /** One test for each tiny model. */
  tests: DeviceTest[];
  /** Whether all tests passed. */
  passed: boolean;
}

/**
 * Tests whether a device trains and generates correctly: makes tiny models of several architectures and weight types, and
 * compares loss, gradients and logits on the device with those of the CPU. Takes a few seconds.
 *
 * @throws LlamatuneError CONFIG_INVALID, DEVICE_NOT_FOUND, ABORTED, ADDON_NOT_FOUND.
 *
 * @example
 * const { passed, tests } = await testDevice({ device: 'Vulkan0' });
 */
export async function testDevice(options: TestDeviceOptions = {}): Promise<DeviceTestReport> {
  const { device, signal } = parseConfig(testDeviceSchema, options, 'testDevice options');
  return withTemporaryFolder(async (folder) => {
    const tests: DeviceTest[] = [];
    await nativeRun(signal, (addon) =>
      addon.testDevice({ device, folder }, (events) => tests.push(...events)),
    );
    return { tests, passed: tests.every((test) => test.passed) };
  });
}
