import { type DeviceList, describeOptions, devices, devicesSchema } from '../index.js';
import { parseArguments, refusePositionals } from './arguments.js';
import type { Command } from './command.js';
import { configurationOf } from './configuration.js';
import * as format from './format.js';
import { jsonLine } from './json.js';
import { cliOptions, commonOptions } from './option.js';
import { columnTable } from './table.js';

const options = cliOptions(describeOptions(devicesSchema));
const own = new Set(commonOptions.map(({ name }) => name));

export const devicesCommand: Command = {
  help: {
    name: 'devices',
    summary:
      'List the devices that a model can be placed on, their memory and what they can train.',
    usage: 'devices [options]',
    options,
    examples: [
      { what: 'the devices of this machine', line: 'llamatune devices' },
      {
        what: 'with those of RPC servers, as JSON',
        line: 'llamatune devices --rpc 192.168.1.10:50052,192.168.1.11:50052 --json',
      },
    ],
    notes: ["The names go into --device; '*' marks what 'auto' takes."],
  },

  async run(args, io) {
    const parsed = parseArguments(args, [...options, ...commonOptions], 'devices');
    refusePositionals(parsed, 'devices');
    const list = await devices(configurationOf(parsed, own));
    const json = parsed.values.get('json') === true;
    io.stdout.write(json ? jsonLine({ type: 'devices', ...list }) : `${devicesText(list)}\n`);
  },
};

/** A table of the devices, then what limits them. */
export function devicesText({ backends, devices: list, unusable }: DeviceList): string {
  const table = columnTable(
    ['', 'Device', 'Back end', 'Description', 'Trains', 'Memory', 'Free'],
    list.map((device) => [
      device.automatic ? '*' : '',
      device.name,
      device.backend,
      device.description,
      device.canTrain === null ? 'not known' : device.canTrain ? 'yes' : 'in part',
      format.bytes(device.memoryTotal),
      format.bytes(device.memoryFree),
    ]),
    5,
  );
  const limits = list.flatMap(({ name, reason, otherWeightTypes }) => [
    ...(reason === null ? [] : [`${name}: ${reason}`]),
    ...(otherWeightTypes.length === 0
      ? []
      : [
          `${name}: weights of these types are multiplied on the CPU: ${otherWeightTypes.join(', ')}`,
        ]),
  ]);
  const broken = unusable.map(({ backend, reason }) => `not usable: ${backend}: ${reason}`);
  return [table, `back ends: ${backends.join(', ')}`, ...limits, ...broken].join('\n');
}
