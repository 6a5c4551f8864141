import { streamTool } from '../command.js';
import { type Reading, reading } from '../reading.js';
import type { HardwareSource } from '../source.js';

const NAME = 'nvidia-smi';
const QUERY = 'index,power.draw,temperature.gpu,utilization.gpu,memory.used,memory.total';
const MIB = 1024 * 1024;

/** NVIDIA's GPUs, from one process that reports them until it is stopped. */
export const nvidiaSmi = (): HardwareSource => ({
  name: NAME,
  open: ({ onReadings, signal, intervalMs }) => {
    const args = [
      ...visibleGpus(process.env.CUDA_VISIBLE_DEVICES),
      `--query-gpu=${QUERY}`,
      '--format=csv,noheader,nounits',
      '-lms',
      String(intervalMs),
    ];
    return streamTool(NAME, args, signal, (line) => {
      const found = parseNvidiaSmi(line);
      if (found !== null) onReadings([found]);
      return found !== null;
    });
  },
});

/** The tool reports the GPUs that CUDA shows to this process, where it names them as the tool does. */
function visibleGpus(variable: string | undefined): string[] {
  const isList = /^(\d+|GPU-[\da-f-]{36})(,(\d+|GPU-[\da-f-]{36}))*$/i;
  return variable !== undefined && isList.test(variable) ? [`--id=${variable}`] : [];
}

/** One line: '0, 65.79, 45, 87, 5413, 24564'. What a GPU does not report is '[N/A]'. */
export function parseNvidiaSmi(line: string): Reading | null {
  const cells = line.split(',').map((cell) => cell.trim());
  const [index, power, temperature, utilization, used, total] = cells;
  if (cells.length !== QUERY.split(',').length || !/^\d+$/.test(index!)) return null;
  const scaled = (text: string | undefined, scale: number): number | null => {
    const value = Number.parseFloat(text ?? '');
    return Number.isFinite(value) ? value * scale : null;
  };
  return reading({
    source: NAME,
    device: `GPU ${index}`,
    scope: 'gpu',
    power: scaled(power, 1),
    temperature: scaled(temperature, 1),
    utilization: scaled(utilization, 0.01),
    memoryUsed: scaled(used, MIB),
    memoryTotal: scaled(total, MIB),
  });
}
