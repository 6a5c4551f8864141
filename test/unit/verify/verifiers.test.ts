import { describe, expect, it } from 'vitest';
import type { VerifierOptions } from '../../../src/config/verifier.js';
import { createVerifier } from '../../../src/verify/create-verifier.js';
import type { VerifyFunction } from '../../../src/verify/user-function.js';

const task = (expected?: string) => ({ index: 3, prompt: 'What is 6 * 7?', expected });

const verdictOn = async (
  options: VerifierOptions | VerifyFunction,
  output: string,
  expected?: string,
) => (await createVerifier(options)).verify(output, task(expected));

describe('the exact verifier', () => {
  it.each([
    ['yes', 'yes', true],
    [' yes\n', 'yes', true],
    ['cafe\u0301', 'caf\u00e9', true],
    ['Yes', 'yes', false],
    ['yes.', 'yes', false],
    ['', 'yes', false],
  ])('compares %j with %j: %s', async (output, expected, right) => {
    expect(await verdictOn({ type: 'exact' }, output, expected)).toMatchObject({
      passed: right,
      score: right ? 1 : 0,
      stage: 'compare',
      compiled: null,
    });
  });

  it('ignores case and white space on request', async () => {
    const options = { type: 'exact', ignoreCase: true, ignoreWhitespace: true } as const;
    expect((await verdictOn(options, 'A  b\nC', 'a b c')).passed).toBe(true);
    expect((await verdictOn(options, 'ab c', 'a b c')).passed).toBe(false);
  });

  it('says what it found', async () => {
    const { detail } = await verdictOn({ type: 'exact' }, 'no', 'yes');
    expect(detail).toBe("'no' instead of 'yes'");
  });
});

describe('the numeric verifier', () => {
  it.each([
    ['6 * 7 = 42.', '42', true],
    ['It is 41, no, 42', '#### 42', true],
    ['0.75', '3/4', true],
    ['41', '42', false],
    ['10000001', '10000000', true], // 1e-7 of it
    ['100001', '100000', false],
  ])('compares %j with %j: %s', async (output, expected, right) => {
    const verdict = await verdictOn({ type: 'numeric' }, output, expected);
    expect(verdict).toMatchObject({ passed: right, stage: 'compare' });
  });

  it('has a tolerance', async () => {
    const options = { type: 'numeric', tolerance: 0.01 } as const;
    expect((await verdictOn(options, '3.14', '3.14159')).passed).toBe(true);
    expect((await verdictOn(options, '3.1', '3.14159')).passed).toBe(false);
    expect((await verdictOn({ type: 'numeric', tolerance: 0 }, '2.0', '2')).passed).toBe(true);
  });

  it('fails an answer without a number', async () => {
    expect(await verdictOn({ type: 'numeric' }, 'forty-two', '42')).toEqual({
      passed: false,
      score: 0,
      stage: 'extract',
      compiled: null,
      detail: "no number in 'forty-two'",
    });
  });
});

describe('the regex verifier', () => {
  it('looks for its pattern or for that of the task', async () => {
    expect((await verdictOn({ type: 'regex', pattern: '^a+$' }, 'aaa')).passed).toBe(true);
    expect((await verdictOn({ type: 'regex', pattern: '^a+$' }, 'AAA')).passed).toBe(false);
    expect((await verdictOn({ type: 'regex', flags: 'i' }, 'an AAA', 'a{3}')).passed).toBe(true);
  });

  it('gives up on a pattern that backtracks without end', async () => {
    const verdict = await verdictOn({ type: 'regex', pattern: '^(a+)+$' }, `${'a'.repeat(60)}b`);
    expect(verdict).toMatchObject({ passed: false, stage: 'compare' });
    expect(verdict.detail).toContain('took longer than 1 s');
  });

  it('refuses a pattern that is not a regular expression', async () => {
    await expect(createVerifier({ type: 'regex', pattern: '(' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      problems: [{ path: 'pattern', message: "expected a regular expression but received '('" }],
    });
    await expect(verdictOn({ type: 'regex' }, 'a', '(')).rejects.toMatchObject({
      code: 'VERIFIER_TASK_INVALID',
    });
  });
});

describe('the json verifier', () => {
  const schema = {
    type: 'object',
    properties: { sum: { type: 'integer' } },
    required: ['sum'],
    additionalProperties: false,
  };

  it.each([
    ['{"sum": 42}', true, 'compare', ''],
    ['```json\n{"sum": 42}\n```', true, 'compare', ''],
    ['{"sum": "42"}', false, 'compare', '/sum must be integer'],
    ['{}', false, 'compare', "the value must have required property 'sum'"],
    ['{"sum": 42', false, 'extract', 'not JSON'],
    ['The sum is 42.', false, 'extract', 'not JSON'],
  ])('checks %j: %s', async (output, right, stage, detail) => {
    const verdict = await verdictOn({ type: 'json', schema }, output);
    expect(verdict).toMatchObject({ passed: right, stage, compiled: null });
    expect(verdict.detail).toContain(detail);
  });

  it('accepts any JSON without a schema, and refuses an invalid schema', async () => {
    expect((await verdictOn({ type: 'json' }, '[1, null]')).passed).toBe(true);
    await expect(
      createVerifier({ type: 'json', schema: { type: 'number-ish' } }),
    ).rejects.toMatchObject({ code: 'JSON_SCHEMA_INVALID' });
  });
});

describe('a function as a verifier', () => {
  it.each([
    [true, { passed: true, score: 1 }],
    [false, { passed: false, score: 0 }],
    [0.5, { passed: false, score: 0.5 }],
    [1, { passed: true, score: 1 }],
    [
      { passed: true, score: 0.9 },
      { passed: true, score: 0.9, detail: '' },
    ],
    [
      { passed: true, score: undefined, detail: undefined },
      { score: 1, detail: '' },
    ],
    [
      { passed: false, detail: 'too long', stage: 'run' },
      { detail: 'too long', stage: 'run' },
    ],
  ])('may return %j', async (result, verdict) => {
    expect(await verdictOn(() => result as boolean, 'x')).toMatchObject(verdict);
  });

  it('gets the answer and the task, and gives the verifier its name', async () => {
    const isExpected: VerifyFunction = async (output, { expected }) => output === expected;
    expect((await createVerifier(isExpected)).name).toBe('isExpected');
    expect((await verdictOn(isExpected, 'a', 'a')).passed).toBe(true);
  });

  it.each([
    ...[2, Number.NaN, 'yes', null, { score: 1 }],
    ...[{ score: '1' }, { stage: 'later' }, { detail: 5 }, { compiled: 'yes' }].map((each) => ({
      passed: true,
      ...each,
    })),
  ])('must not return %j', async (result) => {
    await expect(verdictOn(() => result as never, 'x')).rejects.toMatchObject({
      code: 'VERIFIER_FAILED',
    });
  });

  it('gives only the fields of a verdict', async () => {
    const verdict = await verdictOn(() => ({ passed: true, count: 1n }) as never, 'x');
    expect(() => JSON.stringify(verdict)).not.toThrow();
  });

  it('ends when it is aborted, even if the function does not', async () => {
    const controller = new AbortController();
    const verifier = await createVerifier(() => new Promise<boolean>(() => {}));
    const verdict = verifier.verify('x', task(), controller.signal);
    controller.abort();
    await expect(verdict).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('ends the run with its error', async () => {
    const cause = new Error('no network');
    const fails = () => Promise.reject(cause);
    await expect(verdictOn(fails, 'x')).rejects.toMatchObject({
      code: 'VERIFIER_FAILED',
      message: "the verifier 'fails' failed on an answer to prompt 3: no network",
      cause,
    });
  });
});

describe('a task', () => {
  it.each(['exact', 'numeric', 'regex'] as const)(
    'needs an expected answer for the verifier %s',
    async (type) => {
      const verifier = await createVerifier({ type });
      const error = { code: 'VERIFIER_TASK_INVALID' };
      expect(() => verifier.check?.(task())).toThrow(expect.objectContaining(error));
      await expect(verifier.verify('x', task())).rejects.toMatchObject(error);
      expect(() => verifier.check?.(task('1'))).not.toThrow();
    },
  );

  it.each([5, ['1'], {}])('must not expect %j, which is not a text', async (expected) => {
    const verifier = await createVerifier({ type: 'exact' });
    await expect(verifier.verify('x', task(expected as never))).rejects.toMatchObject({
      code: 'VERIFIER_TASK_INVALID',
      message: expect.stringContaining('is not a text'),
    });
  });

  it('gives a program a number or a text as its input, and nothing else', async () => {
    const verifier = await createVerifier({ type: 'run', language: 'typescript', sandbox: 'none' });
    const given = (stdin: unknown) => ({ ...task('5'), row: { stdin } });
    const error = { code: 'VERIFIER_TASK_INVALID', message: expect.stringContaining("'stdin'") };
    expect(() => verifier.check?.(given(['5']))).toThrow(expect.objectContaining(error));
    expect(() => verifier.check?.(given(null))).not.toThrow();
    const code = "import { readFileSync } from 'node:fs'; console.log(readFileSync(0, 'utf8'));";
    expect(await verifier.verify(code, given(5))).toMatchObject({ passed: true });
  });
});

describe('createVerifier', () => {
  it('refuses an unknown type and unknown options', async () => {
    await expect(createVerifier({ type: 'numerc' } as never)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(
        /type: expected 'exact' or 'numeric' or .* but received 'numerc'; did you mean 'numeric'\?$/,
      ),
    });
    await expect(createVerifier({ type: 'exact', patern: 'x' } as never)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });
});
