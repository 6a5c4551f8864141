import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/parse.js';
import { raftSchema } from '../../../src/config/raft.js';
import type { LlamatuneError } from '../../../src/errors.js';

const needed = { model: 'm.gguf', prompts: 'p.jsonl', verifier: 'numeric', output: 'out' };

/** The problems of options, by their paths. */
function problemsOf(options: object): Record<string, string> {
  try {
    parseConfig(raftSchema, { ...needed, ...options });
    return {};
  } catch (error) {
    const { problems } = error as LlamatuneError;
    return Object.fromEntries(problems.map(({ path, message }) => [path, message]));
  }
}

describe('raftSchema', () => {
  it('fills in defaults', () => {
    expect(parseConfig(raftSchema, needed)).toMatchObject({
      ...{ cycles: 3, samples: 8, onNoneKept: 'continue', learningRateDecay: 1, resume: false },
      filter: { select: 'passing', dedupe: true, keepTruncated: false },
      ...{ generation: {}, finetune: {}, evaluation: {} },
    });
  });

  it('names all problems at once, also those of nested options', () => {
    const problems = problemsOf({
      ...{ cycles: 0, verifier: { type: 'regex', pattern: '(' }, filter: { select: 'all' } },
      generation: { topP: 2, maxTokenz: 8 },
      finetune: { lora: { rank: 0 }, optimizer: { learningRate: -1 } },
    });
    expect(Object.keys(problems).sort()).toEqual([
      ...['cycles', 'filter.select', 'finetune.lora.rank', 'finetune.optimizer.learningRate'],
      ...['generation.maxTokenz', 'generation.topP', 'verifier.pattern'],
    ]);
  });

  it('refuses the options of calls that it sets itself', () => {
    const problems = problemsOf({
      generation: { n: 4, seed: 1, adapters: 'a.gguf' },
      finetune: { output: 'a.gguf', lora: { initAdapter: 'a.gguf' }, threads: 2 },
    });
    expect(Object.keys(problems).sort()).toEqual([
      ...['finetune.lora.initAdapter', 'finetune.output', 'finetune.threads'],
      ...['generation.adapters', 'generation.n', 'generation.seed'],
    ]);
  });

  it('needs a verifier, except with the built-in prompts', () => {
    expect(problemsOf({ verifier: undefined })).toHaveProperty('verifier');
    expect(problemsOf({ verifier: undefined, prompts: 'cpp' })).toEqual({});
    expect(problemsOf({ verifier: 'run' })).toHaveProperty('verifier.language');
    expect(problemsOf({ verifier: () => true })).toEqual({});
  });

  it('refuses pass@k for more answers than there are', () => {
    expect(problemsOf({ passAt: [1, 8, 9] })).toEqual({
      'passAt.2': 'expected at most the number of answers per prompt (8) but received 9',
    });
    expect(problemsOf({ passAt: [5], evaluation: { samples: 4 } })).toHaveProperty('passAt.0');
  });

  it('refuses options of a filter that have no effect', () => {
    expect(problemsOf({ filter: { best: 2 } })).toHaveProperty('filter.best');
    expect(problemsOf({ filter: { select: 'best', best: 2, minScore: 0.1 } })).toEqual({});
  });

  it('refuses a decay that ends below the minimum of the schedule', () => {
    const finetune = { optimizer: { learningRate: 1e-3 }, scheduler: { minLearningRate: 5e-4 } };
    expect(problemsOf({ finetune, learningRateDecay: 0.8, cycles: 3 })).toEqual({});
    expect(problemsOf({ finetune, learningRateDecay: 0.8, cycles: 5 })).toEqual({
      learningRateDecay: expect.stringContaining('0.000410'),
    });
  });
});
