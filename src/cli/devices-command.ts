import * as format from '../format.js';
import {
  type DeviceList,
  type DeviceTest,
  type DeviceTestReport,
  describeOptions,
  devices,
  devicesSchema,
  LlamatuneError,
  testDevice,
  testDeviceSchema,
} from '../index.js';
import { parseArguments, refusePositionals } from './arguments.js';
import type { Command } from './command.js';
import { configurationOf } from './configuration.js';
import { jsonLine } from './json.js';
import { type CliOption, cliOptions, commonOptions } from './option.js';
import { columnTable } from './table.js';

const testOption: CliOption = {
  name: 'test',
  kind: 'boolean',
  typeText: 'flag',
  description:
    'Test a device instead: train and run tiny models on it and compare gradients and logits with those of the CPU.',
};
const deviceOptions = cliOptions(describeOptions(testDeviceSchema)).map((option) => ({
  ...option,
  description: 'With --test: the device to test, as for the other commands.',
}));
const options = [...cliOptions(describeOptions(devicesSchema)), testOption, ...deviceOptions];
const excludedOptions = new Set([...commonOptions, testOption].map(({ name }) => name));

export const devicesCommand: Command = {
  help: {
    name: 'devices',
    summary: 'List the devices of this machine, their memory and whether they can train.',
    usage: 'devices [options]',
    options,
    examples: [
      { what: 'list the devices of this machine', line: 'llamatune devices' },
      {
        what: 'include the devices of RPC servers, as JSON',
        line: 'llamatune devices --rpc 192.168.1.10:50052,192.168.1.11:50052 --json',
      },
      {
        what: 'test training and generation on a device',
        line: 'llamatune devices --test --device Vulkan0',
      },
    ],
    notes: ["Pass a name to --device. '*' marks the devices that 'auto' uses."],
  },

  async run(args, io) {
    const parsed = parseArguments(args, [...options, ...commonOptions], 'devices');
    refusePositionals(parsed, 'devices');
    const config = configurationOf(parsed, excludedOptions);
    const json = parsed.values.get('json') === true;
    if (parsed.values.get('test') === true) {
      const report = await testDevice({ ...config, signal: io.signal });
      io.stdout.write(
        json ? jsonLine({ type: 'device-test', ...report }) : `${testText(report)}\n`,
      );
      if (!report.passed) throw testFailed(report);
      return;
    }
    const list = await devices(config);
    io.stdout.write(json ? jsonLine({ type: 'devices', ...list }) : `${devicesText(list)}\n`);
  },
};

const error = (value: number): string => value.toExponential(1);

/** A table of the tests. */
function testText({ tests }: DeviceTestReport): string {
  return columnTable(
    ['Model', 'Weights', 'Loss error', 'Gradient error', 'Logits error', 'Training loss', 'Result'],
    tests.map((test) => [
      test.architecture,
      test.weightType,
      error(test.lossError),
      error(test.gradientError),
      error(test.logitsError),
      `${format.loss(test.firstLoss)} → ${format.loss(test.lastLoss)}`,
      test.passed ? 'ok' : 'FAILED',
    ]),
    2,
  );
}

function testFailed({ tests }: DeviceTestReport): LlamatuneError {
  const describe = (test: DeviceTest) =>
    `${test.architecture} ${test.weightType} (worst gradient: ${test.worstGradient})`;
  const failed = tests.filter(({ passed }) => !passed).map(describe);
  return new LlamatuneError(
    'DEVICE_TEST_FAILED',
    `the device differs from the CPU: ${failed.join(', ')}`,
    {
      hint: 'Do not train on this device; update its driver, or report this with the output of llamatune devices --json',
    },
  );
}

/** A table of the devices, then their limitations. */
export function devicesText({ backends, devices: list, unusable }: DeviceList): string {
  const table = columnTable(
    ['', 'Device', 'Back end', 'Description', 'Trains', 'Memory', 'Free'],
    list.map((device) => [
      device.automatic ? '*' : '',
      device.name,
      device.backend,
      device.description,
      device.canTrain === null ? 'unknown' : device.canTrain ? 'yes' : 'partly',
      format.bytes(device.memoryTotal),
      format.bytes(device.memoryFree),
    ]),
    5,
  );
  const limits = list.flatMap(({ name, reason, otherWeightTypes, otherOptimizers }) => [
    ...(reason === null ? [] : [`${name}: ${reason}`]),
    ...(otherWeightTypes.length === 0
      ? []
      : [`${name}: the CPU multiplies weights of the types ${otherWeightTypes.join(', ')}`]),
    ...(otherOptimizers.length === 0
      ? []
      : [`${name}: the CPU runs the updates of ${otherOptimizers.join(', ')}`]),
  ]);
  const broken = unusable.map(({ backend, reason }) => `not usable: ${backend}: ${reason}`);
  return [table, `back ends: ${backends.join(', ')}`, ...limits, ...broken].join('\n');
}
