import { describe, expect, it } from 'vitest';
import type { RaftPromptSource } from '../../../src/config/raft.js';
import { cppPrompts, readTasks } from '../../../src/raft/prompts.js';

const tasksOf = async (...prompts: unknown[]) =>
  (await readTasks(prompts as RaftPromptSource, 'memory')).tasks;

describe('readTasks', () => {
  it('reads texts, messages and rows, with their expected answers', async () => {
    const messages = [{ role: 'user', content: 'What is 1 + 1?' }];
    const answered = [...messages, { role: 'assistant', content: 'It is 2.' }];
    const tasks = await tasksOf(
      'Once',
      messages,
      { messages, expected: 2 },
      { messages: answered },
      { prompt: 'Once', completion: ' upon' },
      { prompt: messages, completion: [{ role: 'assistant', content: '2' }], level: 'easy' },
    );
    expect(tasks.map(({ expected }) => expected)).toEqual([
      ...[undefined, undefined, '2', 'It is 2.', ' upon', '2'],
    ]);
    expect(tasks[3]!.prompt).toEqual(messages);
    expect(tasks[4]!.prompt).toBe('Once');
    expect(tasks[5]!.row.level).toBe('easy');
    expect(tasks.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('prefers the column expected to an answer in the conversation', async () => {
    const messages = [
      { role: 'user', content: 'How much?' },
      { role: 'assistant', content: 'It is two.' },
    ];
    const [task] = await tasksOf({ messages, expected: '2' });
    expect(task).toMatchObject({ expected: '2', prompt: messages.slice(0, 1) });
  });

  it('has the same hash for the same prompts only', async () => {
    const hash = async (prompt: string) => (await readTasks([prompt], 'memory')).hash;
    expect(await hash('a')).toBe(await hash('a'));
    expect(await hash('a')).not.toBe(await hash('b'));
  });

  const circular: { prompt: string; self?: object } = { prompt: 'x' };
  circular.self = circular;

  it.each([
    [[circular], 'prompts[0]: it cannot be written as JSON: '],
    [[7], 'prompts[0]: expected a prompt but received 7'],
    [[{ text: 'x' }], 'prompts[0]: expected prompt or messages but received the fields text'],
    [[{ messages: [{ content: 'x' }] }], 'prompts[0]: messages.0.role'],
    [[{ prompt: 'x', expected: {} }], 'a text or a number as the expected answer'],
  ])('refuses %j', async (prompts, message) => {
    await expect(tasksOf(...prompts)).rejects.toMatchObject({
      code: 'PROMPT_INVALID',
      message: expect.stringContaining(message),
    });
  });

  it('reads the C++ tasks, as messages or as texts, with the columns of their verifier', async () => {
    const chat = await tasksOf(...cppPrompts(true));
    expect(chat).toHaveLength(16);
    expect(chat[0]!.prompt).toEqual([{ role: 'user', content: expect.stringMatching(/C\+\+/) }]);
    const texts = await tasksOf(...cppPrompts(false));
    expect(texts[0]!.prompt).toMatch(/C\+\+ program .*\n\n$/s);
    for (const { expected, row } of [...chat, ...texts]) {
      expect(expected).toMatch(/\n$/);
      expect(row).toMatchObject({ stdin: expect.any(String), category: expect.any(String) });
    }
  });

  it('refuses no prompts', async () => {
    await expect(tasksOf()).rejects.toMatchObject({ code: 'PROMPTS_EMPTY' });
  });
});
