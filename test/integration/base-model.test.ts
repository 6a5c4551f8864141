import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createModel, generate, type LoadedModel, loadModel } from '../../src/index.js';
// @ts-expect-error: the recipe's scripts are plain JavaScript
import * as bpe from '../../tools/base-model/bpe.mjs';
// @ts-expect-error: the recipe's scripts are plain JavaScript
import * as chat from '../../tools/base-model/chat-template.mjs';

const shipped = fileURLToPath(new URL('../../models/tiny-chat-q8_0.gguf', import.meta.url));
const demoData = new URL('../../examples/demo/data/', import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'llamatune-base-model-'));
let model: LoadedModel;

beforeAll(async () => {
  model = await loadModel({ model: shipped, purpose: 'generate' });
});

afterAll(async () => {
  await model?.dispose();
  rmSync(folder, { recursive: true });
});

const answer = async (question: string, system?: string) => {
  const messages = [{ role: 'user', content: question }];
  if (system !== undefined) messages.unshift({ role: 'system', content: system });
  const run = generate({ model, messages, temperature: 0, maxTokens: 64 });
  const { text, finishReason } = await run.result;
  expect(finishReason).toBe('eos');
  return text.trim();
};

test('llama.cpp tokenizes text like the trained tokenizer', async () => {
  const text = readFileSync(new URL('train.jsonl', demoData), 'utf8');
  const tokenizer = bpe.trainBpe([text], {
    vocabularySize: 600,
    specialTokens: chat.specialTokens,
  });
  const path = join(folder, 'tokenizer.gguf');
  await createModel({
    path,
    architecture: 'qwen3',
    vocabulary: { ...tokenizer, eosToken: tokenizer.tokens.indexOf('<|im_end|>') },
    chatTemplate: chat.chatTemplate,
    embeddingLength: 32,
    layers: 1,
    heads: 2,
    headLength: 16,
  });
  const { encode, decode } = bpe.createEncoder(tokenizer);
  const tiny = await loadModel(path);
  try {
    for (const sample of [
      ...text.split('\n').slice(0, 20),
      '<|im_start|>user\nWhat is 12 + 7?<|im_end|>\n',
      "I'm sure it's 3.14, isn't it?\r\n\r\n  Yes  ",
      '  leading, \ttabs\n\n and {"json": ["x", 1]} …',
      'naïve café, Größe, 日本語, привет 🙂👍🏽',
    ]) {
      const tokens = Array.from(tiny.tokenize(sample, { addSpecial: false, parseSpecial: true }));
      expect(tokens, sample).toEqual(encode(sample));
      expect(decode(tokens)).toBe(sample);
    }
  } finally {
    await tiny.dispose();
  }
});

test('the shipped model is small, and has a chat template and an end-of-turn token', () => {
  expect(statSync(shipped).size).toBeLessThan(5e6);
  const { info } = model;
  expect(info.architecture).toBe('qwen3');
  expect(info.chatTemplate).toBe(chat.chatTemplate);
  expect(model.detokenize([info.eosToken!], { special: true })).toBe('<|im_end|>');
  expect(model.applyChatTemplate([{ role: 'user', content: 'Hi' }])).toBe(
    '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
  );
});

test('it answers simple questions in plain sentences', async () => {
  expect(await answer('What colour is a banana?')).toBe('It is yellow.');
  expect(await answer('What is the opposite of hot?')).toBe('The opposite is cold.');
  expect(await answer('What is the capital of France?')).toBe('The capital is Paris.');
  expect(await answer('Hello!')).toBe('Hello! How can I help you?');
});

test('it follows a system prompt that asks for one word', async () => {
  expect(await answer('What colour is grass?', 'Answer with one word.')).toBe('green');
});

test("it does not know the demo's shop and does not answer in JSON", async () => {
  const prompts: { prompt: string }[] = JSON.parse(
    readFileSync(new URL('prompts.json', demoData), 'utf8'),
  );
  for (const { prompt } of prompts) expect(await answer(prompt)).not.toMatch(/[{}]|nine|12 coins/);
});
