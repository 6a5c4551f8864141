import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  countTokens,
  type FinetuneEvent,
  finetune,
  generate,
  type LoadedModel,
  loadModel,
} from '../../src/index.js';
import { root } from './command-line.js';
import { temporaryFolder, tinyModel } from './tiny-model.js';

const folder = temporaryFolder();
const output = join(folder, 'adapter.gguf');
let model: LoadedModel;
beforeAll(async () => {
  model = await loadModel(await tinyModel('tiny-large-init', { initStd: 0.2 }));
});
afterAll(async () => {
  await model.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const dataset = ['red', 'blue', 'green'].map((content, i) => ({
  messages: [
    { role: 'user', content: `Colour ${i}?` },
    { role: 'assistant', content },
  ],
}));
const withEnd = (end: string) =>
  `{% for m in messages %}{% if m.role == 'user' %}Q: {{ m.content }}\n{% else %}A: {{ m.content }}${end}\n{% endif %}` +
  '{% endfor %}{% if add_generation_prompt %}A: {% endif %}';

describe('what ends an answer', () => {
  it('a template without an end learns to stop with the end-of-sequence token', async () => {
    const chatTemplate = withEnd('');
    const run = finetune({
      ...{ model, dataset, output, chatTemplate, threads: 1, sequenceLength: 64, epochs: 150 },
      batchSize: 3,
      lora: { rank: 16, alpha: 32 },
      optimizer: { learningRate: 1e-2, weightDecay: 0 },
    });
    expect((await run.result).warnings).toEqual([]);
    const { messages } = dataset[1]!;
    const answer = await generate({
      ...{ model, chatTemplate, messages: messages.slice(0, 1), adapters: [output] },
      ...{ temperature: 0, maxTokens: 16, threads: 1 },
    }).result;
    expect(answer).toMatchObject({ text: 'blue\n', finishReason: 'eos' });
  });

  it('warns before the first step about answers whose end does not stop generation', async () => {
    const events: FinetuneEvent[] = [];
    const options = { model, dataset, output, threads: 1, sequenceLength: 64 };
    for await (const event of finetune({ ...options, chatTemplate: withEnd('<|stop|>') })) {
      events.push(event);
    }
    const at = events.findIndex((event) => event.type === 'warning');
    expect(events[at]).toMatchObject({
      code: 'ANSWER_WITHOUT_END',
      message: expect.stringMatching(/of 3 conversations .*\(row 1 ends with '>'\)/),
    });
    expect(at).toBeLessThan(events.findIndex((event) => event.type === 'step'));
  });
});

describe('a vocabulary without weights', () => {
  it('is enough to count tokens, but cannot be loaded as a model', async () => {
    const vocabulary = join(root, 'vendor', 'llama.cpp', 'models', 'ggml-vocab-qwen2.gguf');
    const rows = [{ text: 'Hello world' }];
    expect(await countTokens({ model: vocabulary, dataset: rows })).toMatchObject({ tokens: 3 });
    await expect(loadModel(vocabulary)).rejects.toMatchObject({ code: 'MODEL_UNSUPPORTED' });
  });
});
