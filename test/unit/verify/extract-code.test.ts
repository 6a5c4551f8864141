import { describe, expect, it } from 'vitest';
import { extractCode } from '../../../src/verify/extract-code.js';
import { sameOutput } from '../../../src/verify/output.js';

const CPP = ['cpp', 'c++'];

describe('extractCode', () => {
  it.each([
    ['int x;', 'int x;', 'the whole text without a block'],
    ['Text.\n```cpp\nint x;\n```\nMore.', 'int x;\n', 'the block of the language'],
    ['```C++\nint x;\n```', 'int x;\n', 'a block with another name of the language'],
    ['```\nint x;\n```', 'int x;\n', 'a block without a language'],
    ['```\na\n```\n```cpp\nb\n```', 'b\n', 'the language before no language'],
    ['```cpp\na\n```\n```cpp\nb\n```', 'a\n', 'the first of several'],
    ['```sh\nmake\n```\n```\na\n```', 'a\n', 'no block of another language'],
    ['```cpp title="x.cpp"\na\n```', 'a\n', 'a block with further words after the language'],
    ['~~~cpp\na\n~~~', 'a\n', 'a block of tildes'],
    ['````cpp\n```\na\n````', '```\na\n', 'a block with a longer fence'],
    ['Text.\n```cpp\nint x;\nint y', 'int x;\nint y', 'a block that is not closed'],
    ['```cpp\r\nint x;\r\n```\r\n', 'int x;\n', 'a block with line breaks of Windows'],
    ['  ```cpp\n  int x;\n  ```', '  int x;\n', 'an indented block'],
    ['Use `int x;` here', 'Use `int x;` here', 'no code in a line'],
  ])('takes from %j %j: %s', (answer, code) => {
    expect(extractCode(answer, CPP)).toBe(code);
  });

  it.each(['', ' \n', '```cpp\n```', '```cpp\n\n```', '```python\nx = 1\n```'])(
    'finds no code in %j',
    (answer) => {
      expect(extractCode(answer, CPP)).toBeNull();
    },
  );

  it('is quick on an answer of many fences', () => {
    const started = performance.now();
    extractCode('```\n'.repeat(50_000), CPP);
    extractCode(`\`\`\`${'a'.repeat(100_000)}\``, CPP);
    extractCode(`\`\`\`cpp\n${'`'.repeat(100_000)}`, CPP);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe('sameOutput', () => {
  it.each([
    ['a\nb\n', 'a\nb', true, true, false],
    ['a  \nb', 'a\nb\n\n', true, true, false],
    ['a\r\nb', 'a\nb', true, true, false],
    [' a', 'a', false, true, false],
    ['a\n\nb', 'a\nb', false, true, false],
    ['a b', 'a  b', false, true, false],
    ['ab', 'a b', false, false, false],
    ['a', 'A', false, false, false],
    ['a\n', 'a\n', true, true, true],
  ])('%j and %j: lines %s, words %s, exact %s', (output, expected, lines, words, exact) => {
    expect(sameOutput(output, expected, 'lines')).toBe(lines);
    expect(sameOutput(output, expected, 'words')).toBe(words);
    expect(sameOutput(output, expected, 'exact')).toBe(exact);
  });
});
