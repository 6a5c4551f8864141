import { describe, expect, it } from 'vitest';
import type { TrialResult } from '../../../../src/bench/suite/results.js';
import { measureOf, present } from '../../../../src/bench/suite/trial.js';
import type { Block } from '../../../../src/report/suite/document.js';
import { modelBlocks, powerLaw } from '../../../../src/report/suite/models-section.js';
import { scalingBlocks } from '../../../../src/report/suite/scaling-section.js';
import { results } from './fixture.js';

const base = results.trials.find(({ spec }) => spec.kind === 'training')!;

function trained(name: string, parameters: number, speed: number, device = 'cpu'): TrialResult {
  return {
    ...base,
    spec: { ...base.spec, model: `${name}.gguf`, device },
    details: { parameters },
    measures: present({
      tokensPerSecond: measureOf('tokens/s', [speed]),
      peakMemory: measureOf('bytes', [2 * parameters + 1e9]),
    }),
  };
}

const titles = (blocks: Block[]) =>
  blocks.flatMap((block) => ('title' in block ? block.title : []));
const textsOf = (blocks: Block[], title: RegExp) => {
  const table = blocks.find((block) => block.kind === 'table' && title.test(block.title ?? ''));
  return table?.kind === 'table' ? table.rows.map((row) => row.map(({ text }) => text)) : undefined;
};

describe('powerLaw', () => {
  it('finds an exact law, without an interval around it', () => {
    const law = powerLaw([1, 2, 4, 8].map((x) => [x, 100 * x ** -0.9]));
    expect(law(16).value).toBeCloseTo(100 * 16 ** -0.9, 9);
    expect(law(16).high / law(16).low).toBeCloseTo(1, 6);
  });

  it('has the prediction interval of the textbook formula', () => {
    // logarithms x 0, 1, 2, 3 and y 0, 1, 2, 4: slope 1.3, intercept -0.2, residual deviation sqrt(0.15)
    const e = Math.exp;
    const law = powerLaw([
      [e(0), e(0)],
      [e(1), e(1)],
      [e(2), e(2)],
      [e(3), e(4)],
    ]);
    const { value, low, high } = law(e(4));
    expect(Math.log(value)).toBeCloseTo(5, 9);
    const width = 4.303 * Math.sqrt(0.15) * Math.sqrt(1 + 1 / 4 + 2.5 ** 2 / 5);
    expect(Math.log(high)).toBeCloseTo(5 + width, 9);
    expect(Math.log(low)).toBeCloseTo(5 - width, 9);
  });
});

describe('modelBlocks', () => {
  const models = [trained('a', 0.6e9, 100), trained('b', 1e9, 62), trained('c', 1.7e9, 35)];

  it('says what the power of a model covers, where it was measured', () => {
    const powered = results.trials.find(({ measures }) => measures.averagePower !== undefined)!;
    const measures = { ...models[0]!.measures, averagePower: powered.measures.averagePower! };
    const { hardware } = powered;
    const rows = textsOf(
      modelBlocks([{ ...models[0]!, measures, hardware }, models[1]!]),
      /^Models/,
    );
    expect(rows!.map((row) => row.at(-1))).toEqual(['61.5 (CPU)', 'n/a']);
    expect(textsOf(modelBlocks(models), /^Models/)![0]).toHaveLength(5);
  });

  it('compares models and projects to larger ones', () => {
    const blocks = modelBlocks(models);
    expect(titles(blocks)).toEqual([
      'Models compared: Q4_0, cpu',
      'Projection to larger models, not measured: Q4_0, cpu',
    ]);
    const projected = textsOf(blocks, /^Projection/)!;
    expect(projected.map(([size]) => size)).toEqual(['3.00 B', '7.00 B', '13.0 B']);
    for (const [, speed] of projected) expect(speed).toMatch(/^≈ .* \(.* to .*\)$/);
  });

  it('shows losses of real models and data only', () => {
    const learned = (model: string, dataset: string | null): TrialResult => {
      const trial = trained(model, 1e9, 50);
      const spec = { ...trial.spec, model, dataset } as TrialResult['spec'];
      const [finalLoss, evaluationLoss] = [2.5, 2].map((loss) => measureOf('nats', [loss]));
      return {
        ...trial,
        spec,
        measures: present({ ...trial.measures, finalLoss, evaluationLoss }),
      };
    };
    const [real, shape] = [learned('a.gguf', 'd.jsonl'), learned('shape:qwen3-0.6b', 'd.jsonl')];
    const rows = textsOf(modelBlocks([real, shape]), /^Models/)!;
    expect(rows[0]!.slice(5)).toEqual(['2.5000', '2.0000', '7.39']);
    expect(rows[1]!.slice(5)).toEqual(['n/a', 'n/a', 'n/a']);
    const random = textsOf(modelBlocks([learned('a.gguf', null), shape]), /^Models/)!;
    expect(random[0]).toHaveLength(5);
  });

  it('projects nothing from two models, and nothing far beyond the largest', () => {
    expect(titles(modelBlocks(models.slice(0, 2)))).toEqual(['Models compared: Q4_0, cpu']);
    const tiny = [trained('a', 1e6, 3), trained('b', 2e6, 2), trained('c', 3e6, 1)];
    expect(titles(modelBlocks(tiny))).toEqual(['Models compared: Q4_0, cpu']);
  });

  it('has nothing to say about one model', () => {
    expect(modelBlocks([models[0]!, models[0]!])).toEqual([]);
  });
});

describe('scalingBlocks', () => {
  it('compares several devices with one', () => {
    const [one, two] = [trained('m', 1e9, 50, 'CUDA0'), trained('m', 1e9, 90, 'CUDA0,CUDA1')];
    const rows = textsOf(scalingBlocks([one, two]), /^Scaling/)!;
    expect(rows[0]!.slice(0, 5)).toEqual(['CUDA0', '1', '50.0', '1.00 ×', '100 %']);
    expect(rows[1]!.slice(0, 5)).toEqual(['CUDA0,CUDA1', '2', '90.0', '1.80 ×', '90 %']);
  });

  it('counts RPC servers', () => {
    const servers = (rpc: string[]) => {
      const trial = trained('m', 1e9, 40 * rpc.length, 'rpc');
      return { ...trial, spec: { ...trial.spec, options: { rpc } } };
    };
    const rows = textsOf(scalingBlocks([servers(['a:1']), servers(['a:1', 'b:1'])]), /^Scaling/)!;
    expect(rows[1]!.slice(0, 5)).toEqual(['rpc, 2 RPC', '2', '80.0', '2.00 ×', '100 %']);
  });

  it('has nothing to say about single devices', () => {
    expect(scalingBlocks([trained('m', 1e9, 50), trained('m', 1e9, 90, 'CUDA0')])).toEqual([]);
  });
});
