import { existsSync, rmSync } from 'node:fs';
import { describeMachine } from '../bench/suite/machine.js';
import type { RaftConfig } from '../config/raft.js';
import { remainingTime } from '../contract/remaining-time.js';
import { throwIfAborted } from '../contract/run.js';
import type { FinetuneEvent } from '../finetune/events.js';
import { sequenceSeed } from '../generate/seed.js';
import { HardwareSampler } from '../hardware/sampler.js';
import { versions } from '../model/versions.js';
import type { RaftEvent, RaftPlace } from './events.js';
import { filterSamples } from './filter.js';
import { raftFiles } from './folder.js';
import { withReadings } from './hardware-log.js';
import { changeOf, metricsOf } from './metrics.js';
import type { PreparedRun } from './prepare.js';
import { raiseBudget, removeEarlierFinal } from './raise.js';
import { type SampleRequest, sampleStage } from './sample-stage.js';
import { type RaftSample, readSamples } from './samples.js';
import {
  newCycle,
  newSampledStage,
  type RaftCycle,
  type RaftStage,
  type RaftSummary,
  type SampledStage,
  summaryToContinue,
  writeSummary,
} from './summary.js';
import { SUMMARY_VERSION } from './summary-schema.js';
import { trainStage, writeKept } from './train-stage.js';

interface Controls {
  emit: (event: RaftEvent) => void;
  signal: AbortSignal;
}

/** The samples of a stage, and the file for the readings of the hardware meanwhile. */
interface SampleJob extends SampleRequest, RaftPlace {
  hardware: string;
}

/** Most tokens that end a turn after the answer. */
const END_TOKENS = 16;

/** Runs the stages that are not finished yet, in order. */
export class RaftRunner {
  readonly #config: RaftConfig;
  readonly #prepared: PreparedRun;
  readonly #controls: Controls;
  readonly #files: ReturnType<typeof raftFiles>;
  #summary!: RaftSummary;
  #sampler!: HardwareSampler;

  constructor(config: RaftConfig, prepared: PreparedRun, controls: Controls) {
    this.#config = config;
    this.#prepared = prepared;
    this.#controls = controls;
    this.#files = raftFiles(config.output);
  }

  async run(): Promise<RaftSummary> {
    const { output, resume, onNoneKept } = this.#config;
    const found = summaryToContinue(output, resume, this.#prepared.identity);
    await using sampler = await HardwareSampler.start({ signal: this.#controls.signal });
    this.#sampler = sampler;
    this.#summary =
      found === null
        ? await this.#newSummary()
        : await raiseBudget(output, found, this.#prepared.identity.options, this.#newCycles());
    this.#save();
    removeEarlierFinal(output, this.#summary);
    this.#controls.emit(planOf(this.#summary, this.#prepared));
    const { baseline, cycles, final } = this.#summary;
    await this.#baseline(baseline);
    for (const cycle of cycles) {
      await this.#cycle(cycle);
      if (cycle.filter?.kept === 0 && onNoneKept === 'stop') break;
    }
    await this.#sample(final, this.#evaluationJob('final', null));
    this.#summary.change = changeOf(
      readSamples(this.#files.baseline),
      readSamples(this.#files.final),
    );
    this.#summary.finishedAt ??= new Date().toISOString();
    this.#save();
    return this.#summary;
  }

  async #newSummary(): Promise<RaftSummary> {
    return {
      format: 'llamatune-raft',
      version: SUMMARY_VERSION,
      ...this.#prepared.identity,
      machine: await describeMachine(),
      versions: versions(),
      sensors: this.#sampler.sources,
      startedAt: new Date().toISOString(),
      finishedAt: null,
      baseline: newSampledStage(),
      cycles: this.#newCycles(),
      final: newSampledStage(),
      change: null,
      adapter: null,
    };
  }

  #newCycles(): RaftCycle[] {
    const { cycles, evaluation, learningRateDecay } = this.#config;
    const evaluates = evaluation.everyCycle ?? evaluation.prompts !== undefined;
    const rate = (i: number) => this.#prepared.learningRate * learningRateDecay ** i;
    return Array.from({ length: cycles }, (_, i) =>
      newCycle(i + 1, evaluates && i + 1 < cycles, rate(i)),
    );
  }

  #save(): void {
    writeSummary(this.#config.output, this.#summary);
  }

  /** A run that ends before its first answer leaves the folder free. */
  async #baseline(stage: SampledStage): Promise<void> {
    const { summary, baseline, baselineHardware } = this.#files;
    try {
      await this.#sample(stage, this.#evaluationJob('baseline', null));
    } finally {
      if (!existsSync(baseline)) {
        for (const path of [summary, baselineHardware]) rmSync(path, { force: true });
      }
    }
  }

  async #cycle(cycle: RaftCycle): Promise<void> {
    const number = cycle.cycle;
    const files = this.#files.cycle(number);
    const before = this.#adapterBefore(number);
    await this.#sample(cycle.samples, {
      ...{ stage: 'samples', cycle: number, system: `cycle ${number}` },
      ...{ path: files.samples, hardware: files.hardware, adapter: before },
      tasks: this.#prepared.tasks,
      samples: this.#config.samples,
      seed: sequenceSeed(this.#config.seed, number, 0),
    });
    if (cycle.filter === null) this.#filter(cycle);
    if (!cycle.training.finished) await this.#train(cycle, before);
    if (cycle.evaluation !== null) {
      await this.#sample(cycle.evaluation, this.#evaluationJob('evaluation', number));
    }
  }

  /** The adapter that the cycles before this one have trained; null for the base model. */
  #adapterBefore(number: number): string | null {
    const trained = this.#summary.cycles.filter(
      ({ cycle, training }) => cycle < number && training.steps > 0,
    );
    const last = trained.at(-1);
    if (last === undefined) return this.#config.adapter ?? null;
    return this.#files.cycle(last.cycle).adapter;
  }

  #evaluationJob(stage: 'baseline' | 'evaluation' | 'final', cycle: number | null): SampleJob {
    const inCycle = cycle === null ? null : this.#files.cycle(cycle);
    const isBase = stage === 'baseline';
    return {
      ...{ stage, cycle, system: cycle === null ? stage : `${stage} ${cycle}` },
      path: inCycle?.evaluation ?? (isBase ? this.#files.baseline : this.#files.final),
      hardware:
        inCycle?.hardware ?? (isBase ? this.#files.baselineHardware : this.#files.finalHardware),
      adapter: isBase
        ? (this.#config.adapter ?? null)
        : this.#adapterBefore((cycle ?? Number.POSITIVE_INFINITY) + 1),
      tasks: this.#prepared.evaluationTasks,
      samples: this.#config.evaluation.samples ?? this.#config.samples,
      // The same seeds before and after, so that a difference is one of the models.
      seed: this.#config.seed,
    };
  }

  async #sample(stage: SampledStage, job: SampleJob): Promise<void> {
    if (stage.finished) return;
    const { emit, signal } = this.#controls;
    const of = job.tasks.length * job.samples;
    const { stage: name, cycle } = job;
    const eta = remainingTime(of);
    await this.#stage(stage, job, async () => {
      const onSample = (sample: RaftSample, done: number) =>
        emit({ type: 'sample', stage: name, cycle, done, of, etaMs: eta(done), sample });
      const { samples, tokensPerSecond } = await sampleStage(
        job,
        this.#config,
        this.#prepared.verifier,
        { signal, onSample },
      );
      const metrics = metricsOf(samples, this.#config.passAt);
      Object.assign(stage, { metrics, tokensPerSecond });
      this.#warnAboutFailed(job, metrics.failedPrompts, samples);
      emit({ type: 'measured', stage: name, cycle, metrics, tokensPerSecond });
    });
  }

  /** Runs a stage with the readings of its hardware, and records that it was started and that it has finished. */
  async #stage(
    stage: RaftStage,
    { stage: name, cycle, hardware }: RaftPlace & { hardware: string },
    work: () => Promise<void>,
  ): Promise<void> {
    throwIfAborted(this.#controls.signal);
    stage.attempts += 1;
    this.#save();
    this.#controls.emit({ type: 'stage', stage: name, cycle, attempt: stage.attempts });
    const { device, gpuLayers, rpc } = this.#config;
    const { use } = await withReadings(
      { path: hardware, stage: name, sampler: this.#sampler },
      { device, options: { gpuLayers, rpc } },
      work,
    );
    Object.assign(stage, { use, finished: true });
    this.#save();
  }

  #filter(cycle: RaftCycle): void {
    const files = this.#files.cycle(cycle.cycle);
    const { tasks } = this.#prepared;
    const { kept, counts } = filterSamples(readSamples(files.samples), this.#config.filter, tasks);
    writeKept(files.kept, kept, tasks);
    cycle.filter = counts;
    this.#save();
    this.#controls.emit({ type: 'kept', cycle: cycle.cycle, counts });
    if (counts.kept > 0) return;
    const next =
      this.#config.onNoneKept === 'stop'
        ? 'the cycles end here'
        : 'nothing is trained in this cycle';
    const truncated =
      counts.truncated === 0
        ? ''
        : `; ${counts.truncated} passed but reached maxTokens (generation.maxTokens, generation.stop, filter.keepTruncated)`;
    const message = `cycle ${cycle.cycle} kept none of its ${counts.samples} answers, so ${next}${truncated}`;
    this.#controls.emit({ type: 'warning', code: 'NO_SAMPLES_KEPT', message });
  }

  async #train(cycle: RaftCycle, before: string | null): Promise<void> {
    const { training, cycle: number } = cycle;
    const files = this.#files.cycle(number);
    if (cycle.filter?.kept === 0) {
      training.finished = true;
      this.#save();
      return;
    }
    const request = {
      ...{ dataset: files.kept, folder: files.checkpoint, output: files.adapter },
      ...{ initAdapter: before, learningRate: training.learningRate },
      longestRow: this.#longestRow(files.samples),
      seed: sequenceSeed(this.#config.seed, number, 0),
    };
    const onEvent = (event: FinetuneEvent) => {
      this.#controls.emit({ type: 'training', cycle: number, event });
      if (event.type !== 'epoch') return;
      training.loss = event.loss;
      this.#save();
    };
    const place = { stage: 'training', cycle: number, hardware: files.hardware } as const;
    await this.#stage(training, place, async () => {
      const { signal } = this.#controls;
      const result = await trainStage(request, this.#config, { signal, onEvent });
      const { steps, tokensPerSecond, peakMemoryBytes, finalLoss } = result;
      Object.assign(training, { steps, tokensPerSecond, peakMemoryBytes });
      training.loss ??= finalLoss;
      this.#summary.adapter = files.adapter;
    });
  }

  /** Most tokens of a prompt with its answer, as far as the context allows. */
  #longestRow(path: string): number {
    const lengths = readSamples(path).map(
      ({ promptTokens, generatedTokens }) => promptTokens + generatedTokens,
    );
    return Math.min(Math.max(...lengths) + END_TOKENS, this.#prepared.contextLength);
  }

  #warnAboutFailed(
    { system }: SampleJob,
    failedPrompts: number,
    samples: readonly RaftSample[],
  ): void {
    if (failedPrompts === 0) return;
    const first = samples.find(({ finishReason }) => finishReason === 'error')!;
    const message = `${system}: ${failedPrompts} prompts could not be answered, the first one (${first.index}) because: ${first.verdict.detail}`;
    this.#controls.emit({ type: 'warning', code: 'PROMPTS_FAILED', message });
  }
}

function planOf({ baseline, cycles, final }: RaftSummary, prepared: PreparedRun): RaftEvent {
  const stages: RaftStage[] = [
    baseline,
    ...cycles.flatMap(({ samples, training, evaluation }) => [
      samples,
      training,
      ...(evaluation === null ? [] : [evaluation]),
    ]),
    final,
  ];
  return {
    type: 'plan',
    prompts: prepared.tasks.length,
    evaluationPrompts: prepared.evaluationTasks.length,
    cycles: cycles.length,
    stages: stages.length,
    finished: stages.filter(({ finished }) => finished).length,
  };
}
