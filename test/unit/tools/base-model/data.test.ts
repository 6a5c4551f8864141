import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
// @ts-expect-error: the recipe's scripts are plain JavaScript
import * as data from '../../../../tools/base-model/generate-data.mjs';
// @ts-expect-error: the recipe's scripts are plain JavaScript
import * as demo from '../../../../tools/base-model/generate-demo-data.mjs';
// @ts-expect-error: the recipe's scripts are plain JavaScript
import { drawQuestion, topics } from '../../../../tools/base-model/questions/topics.mjs';
// @ts-expect-error: the recipe's scripts are plain JavaScript
import { Random } from '../../../../tools/base-model/random.mjs';

interface Message {
  role: string;
  content: string;
}
interface Row {
  prompt?: string;
  completion?: string;
  messages?: Message[];
}
interface Question {
  topic: string;
  key: string;
  question: string;
  answer: string;
  word: string;
}

const rows = (seed: number, samples: number): { train: Row[]; validation: Row[] } =>
  data.generateRows({ seed, samples });
const demoRows = (): { train: Row[]; validation: Row[] } => demo.generateDemoRows();
const questionOf = (row: Row) => row.messages!.find(({ role }) => role === 'user')!.content;

test('the same seed gives the same bytes, and another seed other bytes', () => {
  const bytes = (seed: number) => data.toJsonl(rows(seed, 300).train);
  expect(bytes(1)).toBe(bytes(1));
  expect(bytes(2)).not.toBe(bytes(1));
});

test('a row is a text to continue, or a chat of turns that ends with an answer', () => {
  const { train, validation } = rows(3, 500);
  expect(train).toHaveLength(500);
  expect(validation).toHaveLength(25);
  for (const { prompt, completion, messages } of [...train, ...validation]) {
    if (messages === undefined) {
      expect(`${prompt}|${completion}`).toMatch(/^\w+\| .*\.$/);
      continue;
    }
    const roles = messages.map(({ role }) => role).join(' ');
    expect(roles).toMatch(/^(system )?user assistant( user assistant)*$/);
    for (const { content } of messages) {
      expect(content.trim()).toBe(content);
      expect(content).not.toMatch(/undefined|NaN|^$|\|| -[.?]? *$/);
    }
  }
});

test('held-out questions are not in the training data', () => {
  const random = new Random(5);
  const trained = new Set(
    rows(5, 3000).train.flatMap(({ messages = [] }) => messages.map(({ content }) => content)),
  );
  let heldOut = 0;
  for (let i = 0; i < 2000; i++) {
    const { key, question }: Question = drawQuestion(random);
    if (!data.isHeldOut(key)) continue;
    heldOut++;
    expect(trained.has(question), question).toBe(false);
  }
  expect(heldOut).toBeGreaterThan(60);
});

test('one fact has one answer in all wordings', () => {
  const random = new Random(9);
  const answers = new Map<string, string>();
  for (let i = 0; i < 20000; i++) {
    const { question, answer }: Question = drawQuestion(random);
    const known = answers.get(question);
    if (known !== undefined) expect(answer, question).toBe(known);
    answers.set(question, answer);
  }
});

test('every topic is drawn and its arithmetic is right', () => {
  const random = new Random(11);
  const seen = new Set<string>();
  let sums = 0;
  for (let i = 0; i < 4000; i++) {
    const { topic, question, word }: Question = drawQuestion(random);
    seen.add(topic);
    const sum = /^What is (\d+) (plus|minus|times) (\d+)\?$/.exec(question);
    if (!sum) continue;
    const [a, b] = [Number(sum[1]), Number(sum[3])];
    const right = { plus: a + b, minus: a - b, times: a * b }[sum[2]!];
    expect(Number(word), question).toBe(right);
    sums++;
  }
  expect(sums).toBeGreaterThan(30);
  expect(seen.size).toBeGreaterThanOrEqual(topics.length);
});

test('files are written to the given folder', () => {
  const output = mkdtempSync(join(tmpdir(), 'llamatune-data-'));
  try {
    const paths = data.generateData({ seed: 1, samples: 20, output: join(output, 'deep') });
    expect(readFileSync(paths.train, 'utf8')).toBe(data.toJsonl(rows(1, 20).train));
    expect(existsSync(paths.validation)).toBe(true);
  } finally {
    rmSync(output, { recursive: true });
  }
});

test("the demo's answers are JSON objects with an answer and a topic", () => {
  const { train, validation } = demoRows();
  expect(train.length).toBeGreaterThanOrEqual(150);
  for (const { messages } of [...train, ...validation]) {
    const reply = JSON.parse(messages!.at(-1)!.content);
    expect(Object.keys(reply)).toEqual(['answer', 'topic']);
    expect(reply.answer).toMatch(/./);
  }
});

test("the demo's validation rows and prompts are not in its training rows", () => {
  const { train, validation } = demoRows();
  const trained = new Set(train.map(questionOf));
  expect(trained.size).toBe(train.length);
  for (const row of validation) expect(trained.has(questionOf(row))).toBe(false);
  for (const { prompt } of demo.prompts) expect(trained.has(prompt), prompt).toBe(false);
});

test("the demo's committed files are what the script writes", () => {
  const folder = new URL('../../../../examples/demo/data/', import.meta.url);
  const file = (name: string) => readFileSync(new URL(name, folder), 'utf8');
  const { train, validation } = demoRows();
  expect(file('train.jsonl')).toBe(data.toJsonl(train));
  expect(file('validation.jsonl')).toBe(data.toJsonl(validation));
  expect(JSON.parse(file('prompts.json'))).toEqual(demo.prompts);
});
