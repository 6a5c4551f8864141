import { z } from 'zod';

/** What a source reported about one device at one moment; null: not reported. */
export const deviceState = z.strictObject({
  source: z.string().describe("e.g. 'rapl' or 'nvidia-smi'."),
  device: z.string().describe("e.g. 'CPU package 0' or 'GPU 1'."),
  scope: z
    .enum(['cpu', 'memory', 'gpu', 'machine'])
    .describe('What the power covers; machine: everything that the power supply feeds.'),
  power: z.number().nullable().describe('W'),
  temperature: z.number().nullable().describe('°C'),
  utilization: z.number().nullable().describe('From 0 to 1.'),
  memoryUsed: z.number().nullable().describe('bytes'),
  memoryTotal: z.number().nullable().describe('bytes'),
});
export type DeviceState = z.output<typeof deviceState>;

/** A state with its time. */
export interface Reading extends DeviceState {
  /** Milliseconds since the epoch, as now() gives them. */
  time: number;
  /** Reading of an energy counter, Wh; null if the device has none. Only differences mean something. */
  energy: number | null;
}

/** Milliseconds since the epoch, comparable between the processes of a machine, with fractions. */
export const now = (): number => performance.timeOrigin + performance.now();

/** A reading of now, where everything that is not given is not reported. */
export function reading(
  given: Pick<Reading, 'source' | 'device' | 'scope'> & Partial<Reading>,
): Reading {
  return {
    time: now(),
    power: null,
    energy: null,
    temperature: null,
    utilization: null,
    memoryUsed: null,
    memoryTotal: null,
    ...given,
  };
}

/** A name that no other device has. */
export const deviceKey = ({ source, device }: Pick<DeviceState, 'source' | 'device'>): string =>
  `${source} ${device}`;
