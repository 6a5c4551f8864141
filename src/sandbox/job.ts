import type { SandboxLimits } from '../config/sandbox.js';

/** Folders as the programs of a job see them. */
export interface SandboxFolders {
  /** Has the files of the job and what the steps make of them; the working directory of all steps but the last. */
  box: string;
  /** Empty; the working directory of the last step. */
  work: string;
}

/** A part of a job that has one outcome. */
export interface SandboxStep {
  /** Programs, as absolute paths, with their arguments. They run one after another, until one fails. */
  commands: (folders: SandboxFolders) => readonly (readonly string[])[];
  stdin?: string;
  limits: SandboxLimits;
  /**
   * The program reserves far more address space than it uses (Go, V8). Then only the memory that it writes to is limited.
   */
  reservesMemory?: boolean;
}

/** Steps to run one after another, until one fails. */
export interface SandboxJob {
  /** Texts of files in the box, by name. */
  files: Readonly<Record<string, string>>;
  /** One or two. */
  steps: readonly SandboxStep[];
  /** Absolute paths of files and folders that the programs read, besides those of the system. */
  readable: readonly string[];
  /** Variables of the environment besides PATH, LANG, HOME and TMPDIR. */
  environment?: Readonly<Record<string, string>>;
}

/** How a step ended. */
export interface StepOutcome {
  /** Status as shells have it: 128 + n after signal n. */
  exitCode: number;
  stdout: string;
  stderr: string;
  /** The limit for which the sandbox killed the program; null if it ended by itself. */
  stopped: 'time' | 'output' | 'memory' | null;
  milliseconds: number;
}

/**
 * Runs a job. Returns the outcomes of its steps up to the first that failed.
 *
 * @throws LlamatuneError SANDBOX_FAILED if the sandbox could not be set up; ABORTED
 */
export type JobRunner = (job: SandboxJob, signal?: AbortSignal) => Promise<StepOutcome[]>;
