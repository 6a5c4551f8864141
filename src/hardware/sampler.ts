import { setTimeout as wait } from 'node:timers/promises';
import { type DeviceState, deviceKey, now, type Reading } from './reading.js';
import type { HardwareSource } from './source.js';
import { amd } from './sources/amd.js';
import { battery } from './sources/battery.js';
import { nvidiaSmi } from './sources/nvidia-smi.js';
import { powermetrics } from './sources/powermetrics.js';
import { rapl } from './sources/rapl.js';
import { system } from './sources/system.js';

/** Often enough for a run of a few seconds; reading every source at this rate takes less than 1 % of a core. */
const INTERVAL_MS = 500;
/** How long latest() waits for a new reading of a slow source. */
const LONGEST_WAIT_MS = 3000;
const WAIT_STEP_MS = 50;

const everySource = (): HardwareSource[] => [
  rapl(),
  nvidiaSmi(),
  amd(),
  powermetrics(),
  battery(),
  system(),
];

export interface SamplerOptions {
  /** Stops sampling. */
  signal?: AbortSignal | undefined;
  /** Wanted time between two readings. Default: 500. */
  intervalMs?: number | undefined;
  /** Default: all that llamatune knows. */
  sources?: HardwareSource[] | undefined;
}

/** Whether a source of this machine could be opened. */
export interface SourceState {
  source: string;
  /** Why it could not be used; null if it is read. */
  problem: string | null;
}

/** Reads power, temperature, utilization and memory of the machine's devices until it is closed. */
export class HardwareSampler implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>[] = [];
  /** The last readings of each source that is still read, and when it was read. */
  readonly #live = new Map<HardwareSource, { time: number; devices: Map<string, Reading> }>();
  #readings: Reading[] = [];
  /** The sources that this machine has. */
  readonly sources: SourceState[] = [];

  private constructor() {}

  /** Opens the sources and resolves after the first readings. */
  static async start({
    signal,
    intervalMs = INTERVAL_MS,
    sources = everySource(),
  }: SamplerOptions = {}): Promise<HardwareSampler> {
    const sampler = new HardwareSampler();
    const stop = () => sampler.#stop.abort();
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop, { once: true });
    sampler.#stop.signal.addEventListener('abort', () =>
      signal?.removeEventListener('abort', stop),
    );
    await Promise.all(sources.map((source) => sampler.#open(source, intervalMs)));
    return sampler;
  }

  async #open(source: HardwareSource, intervalMs: number): Promise<void> {
    const { signal } = this.#stop;
    const onReadings = (readings: Reading[]) => {
      if (signal.aborted) return;
      const devices = this.#live.get(source)?.devices ?? new Map<string, Reading>();
      for (const each of readings) devices.set(deviceKey(each), each);
      this.#live.set(source, { time: now(), devices });
      this.#readings.push(...readings);
    };
    try {
      const opened = await source.open({ onReadings, signal, intervalMs });
      if (opened === null) return;
      this.#ended.push(opened.ended.then(() => void this.#live.delete(source)));
      this.sources.push({ source: source.name, problem: null });
    } catch (error) {
      this.sources.push({ source: source.name, problem: (error as Error).message });
    }
  }

  /** The readings since the last call, in the order of their time. */
  take(): Reading[] {
    const taken = this.#readings;
    this.#readings = [];
    return taken.sort((a, b) => a.time - b.time);
  }

  /** The state of every device after its source has been read again, or after 3 s. */
  async latest(): Promise<DeviceState[]> {
    const asked = now();
    const sources = () => [...this.#live.values()];
    while (now() - asked < LONGEST_WAIT_MS && sources().some(({ time }) => time < asked)) {
      await wait(WAIT_STEP_MS);
    }
    return sources().flatMap(({ devices }) =>
      [...devices.values()].map(({ time: _, energy: __, ...state }) => state),
    );
  }

  /** Stops sampling and resolves when all processes of the sources have ended. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#ended);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
