import { runTool } from '../command.js';
import { type Reading, reading } from '../reading.js';
import { type HardwareSource, polledSource } from '../source.js';

/** Both tools start a Python interpreter for every reading. */
const SLOWEST_MS = 2000;

/** AMD's GPUs, by amd-smi, or by rocm-smi where only that is installed. */
export const amd = (): HardwareSource =>
  polledSource(
    'amd-smi or rocm-smi',
    async (signal) => {
      const problems: unknown[] = [];
      for (const tool of TOOLS) {
        try {
          const found = await readTool(tool, signal);
          if (found !== null) return async (stop) => (await readTool(tool, stop)) ?? [];
        } catch (error) {
          problems.push(error);
        }
      }
      if (problems.length > 0) throw problems[0];
      return null;
    },
    SLOWEST_MS,
  );

const TOOLS = [
  {
    command: 'amd-smi',
    args: ['metric', '--power', '--temperature', '--usage', '--mem-usage', '--json'],
    parse: parseAmdSmi,
  },
  {
    command: 'rocm-smi',
    args: ['--showpower', '--showtemp', '--showuse', '--showmeminfo', 'vram', '--json'],
    parse: parseRocmSmi,
  },
];

/** The readings of all GPUs, or null if there is no such tool. */
async function readTool(
  { command, args, parse }: (typeof TOOLS)[number],
  signal: AbortSignal,
): Promise<Reading[] | null> {
  const output = await runTool(command, args, signal);
  if (output === null) return null;
  const readings = parse(parseJson(output, command));
  if (readings.length === 0) throw new Error(`${command} reported no GPU`);
  return readings;
}

type Json = Readonly<Record<string, unknown>>;

/** The JSON of an output, which warnings can precede. */
function parseJson(output: string, command: string): unknown {
  const start = output.search(/^[[{]/m);
  try {
    return JSON.parse(output.slice(start));
  } catch {
    throw new Error(`${command} did not write JSON`);
  }
}

const record = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};

const MIB = 1024 * 1024;

/** A list of GPUs, in newer versions as 'gpu_data'. Values have units, or are 'N/A'. */
export function parseAmdSmi(json: unknown): Reading[] {
  const gpus = Array.isArray(json) ? json : record(json).gpu_data;
  if (!Array.isArray(gpus)) return [];
  return gpus.map(record).flatMap(({ gpu, ...parts }) => {
    if (typeof gpu !== 'number') return [];
    const value = (part: string, ...names: string[]) => firstNumber(record(parts[part]), names);
    const power = value('power', 'socket_power', 'average_socket_power', 'current_socket_power');
    return reading({
      source: 'amd-smi',
      device: `GPU ${gpu}`,
      scope: 'gpu',
      power,
      temperature: value('temperature', 'edge', 'hotspot'),
      utilization: scale(value('usage', 'gfx_activity'), 0.01),
      // 'MB' are MiB
      memoryUsed: scale(value('mem_usage', 'used_vram'), MIB),
      memoryTotal: scale(value('mem_usage', 'total_vram'), MIB),
    });
  });
}

/** 'card0', 'card1', … with texts as values; the names of the power differ between generations of GPUs. */
export function parseRocmSmi(json: unknown): Reading[] {
  return Object.entries(record(json)).flatMap(([name, values]) => {
    const index = /^card(\d+)$/.exec(name)?.[1];
    if (index === undefined) return [];
    const value = (...names: string[]) => firstNumber(record(values), names);
    return reading({
      source: 'rocm-smi',
      device: `GPU ${index}`,
      scope: 'gpu',
      power: value(
        'Average Graphics Package Power (W)',
        'Current Socket Graphics Package Power (W)',
      ),
      temperature: value('Temperature (Sensor edge) (C)', 'Temperature (Sensor junction) (C)'),
      utilization: scale(value('GPU use (%)'), 0.01),
      memoryUsed: value('VRAM Total Used Memory (B)'),
      memoryTotal: value('VRAM Total Memory (B)'),
    });
  });
}

/** The first of these fields that has a number: 42, '42.0' or { value: 42, unit: 'W' }. */
function firstNumber(values: Json, names: readonly string[]): number | null {
  for (const name of names) {
    const found = values[name];
    const bare = typeof found === 'object' && found !== null ? record(found).value : found;
    const value = typeof bare === 'string' ? Number.parseFloat(bare) : bare;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
  }
  return null;
}

const scale = (value: number | null, by: number): number | null =>
  value === null ? null : value * by;
