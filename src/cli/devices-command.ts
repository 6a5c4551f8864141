import { type DeviceList, describeOptions, devices, devicesSchema } from '../index.js';
import { parseArguments, refusePositionals } from './arguments.js';
import type { Command } from './command.js';
import { configurationOf } from './configuration.js';
import * as format from './format.js';
import { jsonLine } from './json.js';
import { cliOptions, commonOptions } from './option.js';
import { columnTable } from './table.js';

const options = cliOptions(describeOptions(devicesSchema));
const excludedOptions = new Set(commonOptions.map(({ name }) => name));

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
    ],
    notes: ["Pass a name to --device. '*' marks the devices that 'auto' uses."],
  },

  async run(args, io) {
    const parsed = parseArguments(args, [...options, ...commonOptions], 'devices');
    refusePositionals(parsed, 'devices');
    const list = await devices(configurationOf(parsed, excludedOptions));
    const json = parsed.values.get('json') === true;
    io.stdout.write(json ? jsonLine({ type: 'devices', ...list }) : `${devicesText(list)}\n`);
  },
};

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
