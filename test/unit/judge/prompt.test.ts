import { describe, expect, it } from 'vitest';
import { judgeSchema } from '../../../src/config/judge.js';
import { parseConfig } from '../../../src/config/parse.js';
import { JudgePrompt, promptText } from '../../../src/judge/prompt.js';

const values = { prompt: 'Why?', answerA: 'First', answerB: 'Second', reference: null };

describe('JudgePrompt', () => {
  it('fills the default prompt', () => {
    const text = new JudgePrompt({ prompt: undefined, rubric: 'Be brief.', explain: false });
    const filled = text.fill(values);
    expect(filled).toMatch(/Be brief\..*Why\?.*Answer A:\nFirst.*Answer B:\nSecond/s);
    expect(filled).toContain('Reply only with "A"');
    expect(filled).not.toMatch(/[{}]/);
    expect(text.showsReference).toBe(false);
  });

  it('asks for an explanation', () => {
    const text = new JudgePrompt({ prompt: undefined, rubric: undefined, explain: true });
    expect(text.fill(values)).toContain('"Verdict: "');
  });

  it('leaves placeholders and dollar signs in answers as they are', () => {
    const prompt = '{answerA}|{answerB}|{reference}|{"json": 1}';
    const text = new JudgePrompt({ prompt, rubric: undefined, explain: false });
    const filled = text.fill({ ...values, answerA: '{answerB} $& $1', reference: 'R' });
    expect(filled).toBe('{answerB} $& $1|Second|R|{"json": 1}');
    expect(text.showsReference).toBe(true);
  });

  const problems = (options: object) => {
    try {
      parseConfig(judgeSchema, { model: 'm', pairs: 'p', ...options });
      return [];
    } catch (error) {
      return (error as { problems: { path: string; message: string }[] }).problems.map(
        ({ path, message }) => `${path}: ${message}`,
      );
    }
  };

  it('checks the placeholders', () => {
    expect(problems({ prompt: '{answerA} {answerB}' })).toEqual([]);
    expect(problems({ prompt: '{answerA} {anserB}' })).toEqual([
      'prompt: expected the placeholder {answerB} but received a prompt without it',
      'prompt: expected the placeholders {prompt}, {answerA}, {answerB}, {rubric}, {reference}, {instruction} but received {anserB}',
    ]);
    expect(problems({ prompt: '{answerA} {answerB}', rubric: 'x' })).toEqual([
      'rubric: expected {rubric} in the prompt but received a prompt without it',
    ]);
    expect(problems({ samples: ['a', 'b'] })).toEqual([
      'samples: expected one of samples and pairs but received samples and pairs',
    ]);
    expect(problems({ contextLength: 16, maxTokens: 16 })).toEqual([
      'maxTokens: expected less than contextLength (16) but received 16',
    ]);
  });
});

describe('promptText', () => {
  it('writes a conversation with its roles, and a single question without', () => {
    expect(promptText('Why?')).toBe('Why?');
    expect(promptText([{ role: 'user', content: 'Why?' }])).toBe('Why?');
    expect(
      promptText([
        { role: 'system', content: 'Be kind.' },
        { role: 'user', content: 'Why?' },
      ]),
    ).toBe('System: Be kind.\n\nUser: Why?');
  });
});
