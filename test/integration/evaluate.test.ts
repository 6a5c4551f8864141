import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type EvaluateEvent,
  type EvaluationSample,
  embed,
  evaluate,
  finetune,
  generate,
  judge,
  loadModel,
  readEvaluation,
  renderEvaluation,
  score,
} from '../../src/index.js';
import { folderPerTest } from '../folder-per-test.js';
import { jsonLines, llamatune, root } from './command-line.js';
import { temporaryFolder, tinyModel } from './tiny-model.js';

const model = join(root, 'models', 'tiny-chat-q8_0.gguf');
const at = folderPerTest();
const talk = (question: string, answer: string, label: string) => ({
  messages: [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ],
  label,
});
const rows = [
  talk('Is the sky blue?', 'Yes, the sky is blue.', 'Yes'),
  talk('Is snow black?', 'No, snow is white.', 'No'),
  talk('Does a zorp fly?', 'I do not know.', 'Uncertain'),
  talk('Can a fish swim?', 'Yes, a fish can swim.', 'Yes'),
];
const maxTokens = 12;
const tasks = ['classification', 'token-f1'] as const;
const linesOf = <T>(path: string): T[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

let adapter: string;
beforeAll(async () => {
  adapter = join(temporaryFolder(), 'adapter.gguf');
  const learned = [
    {
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'No' },
      ],
    },
  ];
  const optimizer = { learningRate: 0.01 };
  await finetune({
    ...{ model, dataset: learned, output: adapter, maxSteps: 8, optimizer, modelCard: false },
  }).result;
});

describe('evaluate', () => {
  it('compares a model, its adapter and recorded outputs, and keeps every answer', async () => {
    const recorded = rows.map(({ label }, index) => ({ index, output: `${label}.` }));
    writeFileSync(at('other.jsonl'), recorded.map((line) => JSON.stringify(line)).join('\n'));
    const run = evaluate({
      dataset: rows,
      systems: [
        { name: 'base', model },
        { name: 'tuned', model, adapters: [adapter] },
        { name: 'tuned at 0', model, adapters: [{ path: adapter, scale: 0 }] },
        { outputs: at('other.jsonl') },
      ],
      tasks: [...tasks],
      maxTokens,
      output: at('results'),
    });
    const events: EvaluateEvent[] = [];
    for await (const event of run) events.push(event);
    const { samples, ...results } = await run.result;

    expect(events[0]).toMatchObject({ type: 'plan', rows: 4, badRows: 0 });
    const answers = events.filter((event) => event.type === 'answer');
    expect(answers.map(({ done, of }) => [done, of])).toEqual(
      [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4].map((done) => [done, 4]),
    );
    expect(results.systems.map(({ name, answers: count }) => [name, count])).toEqual([
      ['base', 4],
      ['tuned', 4],
      ['tuned at 0', 4],
      ['other', 4],
    ]);
    const [base, tuned, off, other] = results.systems;
    expect(other!.measures['classification.accuracy']).toEqual({
      value: 1,
      interval: null,
      rows: 4,
    });
    expect(off!.measures).toEqual(base!.measures);
    expect(samples['tuned at 0']!.map(({ output }) => output)).toEqual(
      samples.base!.map(({ output }) => output),
    );
    // it was trained to say No
    expect(tuned!.classifications.classification!.perLabel[1]).toMatchObject({ recall: 1 });
    const same = results.comparisons.find(({ a, b }) => a === 'tuned at 0' && b === 'base');
    expect(same).toMatchObject({ difference: 0, interval: null, p: 1, better: null });
    expect(results.comparisons).toHaveLength(6 * 3);

    // the answers are those of generate()
    const { text } = await generate({
      ...{ model, messages: rows[1]!.messages.slice(0, 1), maxTokens, temperature: 0 },
    }).result;
    expect(samples.base![1]).toMatchObject({
      ...{ index: 1, sample: 0, system: 'base', output: text, reference: 'No, snow is white.' },
      prompt: rows[1]!.messages.slice(0, 1),
    });

    expect(
      readdirSync(at('results'))
        .filter((name) => !name.startsWith('.'))
        .sort(),
    ).toEqual(['charts', 'report.html', 'results.json', 'samples', 'summary.md', 'summary.txt']);
    expect(readEvaluation(at('results/results.json'))).toEqual(results);
    expect(linesOf<EvaluationSample>(at('results/samples/tuned-at-0.jsonl'))).toEqual(
      samples['tuned at 0'],
    );
    expect(readFileSync(at('results/summary.txt'), 'utf8')).toBe(
      renderEvaluation(results, { format: 'text' }),
    );
    expect(readFileSync(at('results/summary.md'), 'utf8')).toContain('(charts/chart-1.svg)');
    expect(readFileSync(at('results/charts/chart-1.svg'), 'utf8')).toContain('<svg');
    // samples can be evaluated again
    const again = await evaluate({
      dataset: rows,
      systems: [{ outputs: at('results/samples/base.jsonl') }],
      tasks: [...tasks],
    }).result;
    expect(again.systems[0]!.measures).toEqual(base!.measures);
  });

  it('evaluates texts with a marker by a loaded model, and one row', async () => {
    const dataset = [{ text: 'Q: Is snow white?\nA: Yes. It is.', label: 'Yes' }];
    await using loaded = await loadModel({ model, purpose: 'generate' });
    const { systems, samples } = await evaluate({
      ...{
        dataset,
        systems: [{ model: loaded }],
        tasks: [...tasks],
        answerMarker: '\nA:',
        maxTokens,
      },
    }).result;
    expect(samples['tiny-chat-q8_0']![0]).toMatchObject({
      ...{ prompt: 'Q: Is snow white?\nA:', reference: 'Yes. It is.' },
    });
    expect(systems[0]!.measures['token-f1']).toMatchObject({ interval: null, rows: 1 });
    expect(loaded.disposed).toBe(false);
  });

  it('compares only rows that both systems answered, and says which are missing', async () => {
    writeFileSync(
      at('some.jsonl'),
      '{"index": 1, "output": "No"}\n{"index": 3, "output": "Yes"}\n',
    );
    writeFileSync(at('all.jsonl'), '{"output": "No"}\n'.repeat(4));
    const run = evaluate({
      dataset: rows,
      systems: [{ outputs: at('all.jsonl') }, { outputs: at('some.jsonl') }],
      tasks: ['classification'],
    });
    const warnings: EvaluateEvent[] = [];
    for await (const event of run) if (event.type === 'warning') warnings.push(event);
    const { systems, comparisons } = await run.result;
    expect(warnings).toMatchObject([{ code: 'ANSWERS_MISSING' }]);
    expect(systems[1]).toMatchObject({ answers: 2, missing: [{ index: 0 }, { index: 2 }] });
    expect(comparisons[0]).toMatchObject({ rows: 2, difference: 0.5 });
  });

  it('keeps a row without an answer in its samples, which a judge counts as missing', async () => {
    const dataset = [...rows, talk('word '.repeat(2000), 'Yes', 'Yes')];
    const output = at('results');
    const { systems } = await evaluate({
      ...{ dataset, output, maxTokens, tasks: [...tasks] },
      systems: [
        { name: 'a', model },
        { name: 'b', model, adapters: [adapter] },
      ],
    }).result;
    expect(systems[0]).toMatchObject({ answers: 4, missing: [{ index: 4 }] });
    const files = ['a', 'b'].map((name) => join(output, 'samples', `${name}.jsonl`));
    const lines = linesOf<EvaluationSample>(files[0]!);
    expect(lines[4]).toMatchObject({ index: 4, output: null, finishReason: null, scores: {} });
    const { comparisons } = await judge({ model, samples: files, check: 'none' }).result;
    expect(comparisons[0]).toMatchObject({ pairs: 4, missing: { left: 1, right: 1 } });
    const outputs = [{ outputs: files[0]! }];
    const again = await evaluate({ dataset, systems: outputs, tasks: [...tasks] }).result;
    expect(again.systems[0]).toMatchObject({ answers: 4, missing: [{ index: 4 }] });
  });

  it('keeps the answers of a model if a scorer fails', async () => {
    const failing = evaluate({
      dataset: rows,
      systems: [{ name: 'base', model }],
      tasks: [{ type: 'custom', name: 'mine', score: () => Number.NaN }],
      ...{ maxTokens, output: at('results') },
    });
    await expect(failing.result).rejects.toMatchObject({ code: 'SCORE_INVALID' });
    const kept = linesOf<EvaluationSample>(at('results/samples/base.jsonl'));
    expect(kept.map(({ index, scores }) => [index, scores])).toEqual(rows.map((_, i) => [i, {}]));
    expect(existsSync(at('results/results.json'))).toBe(false);
    const again = evaluate({
      ...{ dataset: rows, systems: [{ model }], tasks: [...tasks], output: at('results') },
    });
    await expect(again.result).rejects.toMatchObject({
      code: 'RESULTS_EXIST',
      hint: expect.stringContaining('outputs'),
    });
  });

  it('ends when it is aborted, also within a scorer', async () => {
    const controller = new AbortController();
    const run = evaluate({
      ...{ dataset: rows, systems: [{ model }], maxTokens, signal: controller.signal },
      tasks: [
        {
          type: 'custom',
          name: 'slow',
          score: (input) =>
            new Promise((_, reject) => {
              input.signal.addEventListener('abort', () => reject(new Error('stopped')));
              controller.abort();
            }),
        },
      ],
    });
    await expect(run.result).rejects.toMatchObject({ code: 'ABORTED' });
    const early = evaluate({ dataset: rows, systems: [{ model }], tasks: ['jaccard'] });
    early.abort();
    await expect(early.result).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('fails if a system cannot answer any row, or a file is missing', async () => {
    const plain = await tinyModel('tiny-no-template', { chatTemplate: undefined });
    const options = { dataset: rows, tasks: [...tasks], maxTokens };
    await expect(
      evaluate({ ...options, systems: [{ model: plain }] }).result,
    ).rejects.toMatchObject({
      code: 'NO_CHAT_TEMPLATE',
      message: expect.stringContaining('all 4 rows'),
    });
    const systems = [{ model }, { name: 'b', model, adapters: [at('none.gguf')] }];
    await expect(evaluate({ ...options, systems }).result).rejects.toMatchObject({
      code: 'ADAPTER_NOT_FOUND',
    });
  });

  it('reports all mistakes of the options at once', async () => {
    const wrong = {
      dataset: { path: 'rows.jsonl', weight: 2 },
      systems: [
        { name: 'a' },
        { name: 'A', outputs: 'a.jsonl', adapters: ['b.gguf'] },
        { model: 'b.gguf', outputField: 'text' },
      ],
      tasks: ['bleu', 'jaccard', 'jaccard'],
      maxTokens: 0,
    };
    const error = await evaluate(wrong as never).result.catch((thrown) => thrown);
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.problems.map(({ path }: { path: string }) => path).sort()).toEqual([
      ...['dataset', 'maxTokens', 'systems.0', 'systems.1.adapters', 'systems.1.name'],
      ...['systems.2.outputField', 'tasks.0', 'tasks.2.name'],
    ]);
  });
});

describe('evaluate by probabilities and embeddings', () => {
  it('gives the perplexity of score(), for an adapter too, without generating', async () => {
    const events: EvaluateEvent[] = [];
    const run = evaluate({
      dataset: rows,
      systems: [
        { name: 'base', model },
        { name: 'tuned', model, adapters: [adapter] },
      ],
      tasks: ['perplexity'],
      output: at('results'),
    });
    for await (const event of run) events.push(event);
    const { systems, samples } = await run.result;
    const loss = 'last-assistant';
    const base = await score({ model, dataset: rows, loss }).result;
    const tuned = await score({ model, adapters: [adapter], dataset: rows, loss }).result;
    for (const [i, expected] of [base, tuned].entries()) {
      const { perplexity, 'perplexity.accuracy': accuracy } = systems[i]!.measures;
      expect(perplexity!.value! / expected.perplexity).toBeCloseTo(1, 4);
      expect(accuracy!.value).toBeCloseTo(expected.accuracy, 6);
    }
    expect(events.some(({ type }) => type === 'answer')).toBe(false);
    expect(events.filter(({ type }) => type === 'scoring').at(-1)).toMatchObject({
      ...{ system: 'tuned', task: 'perplexity', done: 4, of: 4 },
    });
    expect(samples.base![2]).toMatchObject({ output: null, finishReason: null });
    const { logProbability, targets } = base.sequences[2]!;
    const ofRow = Math.exp(-logProbability / targets);
    expect(samples.base![2]!.scores.perplexity! / ofRow).toBeCloseTo(1, 4);
  });

  it('finds the most likely choice, whose right one is learned', async () => {
    const question = rows[0]!.messages[0]!;
    const choices = ['Yes, the sky is blue.', 'Zorp zorp zorp zorp.'];
    const dataset = [
      { messages: [question], choices, answer: 0 },
      { messages: [question], choices, answer: 'B' },
    ];
    const { systems } = await evaluate({
      ...{ dataset, systems: [{ model }], tasks: ['multiple-choice'] },
    }).result;
    const value = (name: string) => systems[0]!.measures[`multiple-choice.${name}`]!.value;
    expect([value('accuracy'), value('perToken'), value('perByte')]).toEqual([0.5, 0.5, 0.5]);
  });

  it('compares embeddings by one model, and knows empty answers', async () => {
    const outputs = [...rows.slice(0, 2).map(({ messages }) => messages[1]!.content), '', 'zorp'];
    writeFileSync(at('out.jsonl'), outputs.map((output) => JSON.stringify({ output })).join('\n'));
    const { samples } = await evaluate({
      dataset: rows,
      systems: [{ name: 'out', outputs: at('out.jsonl') }],
      tasks: [{ type: 'cosine', model }],
    }).result;
    const [first, second, empty, other] = samples.out!.map(({ scores }) => scores.cosine!);
    expect([first, second]).toEqual([expect.closeTo(1, 5), expect.closeTo(1, 5)]);
    expect(empty).toBe(0);
    expect(other).toBeLessThan(0.99);
    const texts = ['zorp', 'Yes, a fish can swim.'];
    const { embeddings } = await embed({ model, texts }).result;
    const dot = embeddings[0]!.reduce((sum, value, i) => sum + value * embeddings[1]![i]!, 0);
    expect(other).toBeCloseTo(dot, 3);
  });
});

describe('evaluate with texts that are longer than the embedding model', () => {
  it('compares their start and says so', async () => {
    writeFileSync(at('out.jsonl'), JSON.stringify({ output: `${'a long text '.repeat(400)}end` }));
    const dataset = [{ prompt: 'Why?', completion: `${'a long text '.repeat(400)}other end` }];
    const { samples, warnings } = await evaluate({
      ...{ dataset, systems: [{ name: 'out', outputs: at('out.jsonl') }] },
      tasks: [{ type: 'cosine', model }],
    }).result;
    expect(samples.out![0]!.scores.cosine).toBeCloseTo(1, 5);
    expect(warnings).toMatchObject([
      { code: 'TEXTS_TRUNCATED', message: expect.stringContaining('2 of 2 texts') },
    ]);
  });
});

describe('llamatune evaluate', () => {
  it('prints a report, or events as JSON Lines', async () => {
    writeFileSync(at('rows.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const args = [
      ...['evaluate', '--dataset', at('rows.jsonl'), '--maxTokens', '8'],
      ...['--systems', `base=${model}`, '--systems', `tuned=${model}+${adapter}@0.5`],
      ...['--tasks', 'classification,rouge-l'],
    ];
    const { exit, stdout, stderr } = await llamatune([...args, '--output', at('results')]);
    expect(exit).toBe(0);
    expect(stdout).toContain('tuned and base');
    expect(stdout).toBe(readFileSync(at('results/summary.txt'), 'utf8'));
    expect(stderr).toContain('2 systems, 4 rows\n[1/2] base\n[2/2] tuned\n');
    const events = jsonLines((await llamatune([...args, '--json'])).stdout);
    expect(events.at(-1)).toMatchObject({
      type: 'done',
      result: { systems: [{ name: 'base' }, { adapters: [{ path: adapter, scale: 0.5 }] }] },
    });
  });
});
