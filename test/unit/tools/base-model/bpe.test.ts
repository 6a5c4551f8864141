import { expect, test } from 'vitest';
// @ts-expect-error: the recipe's scripts are plain JavaScript
import * as bpe from '../../../../tools/base-model/bpe.mjs';

const { createEncoder, splitWords, toLetters, trainBpe } = bpe;
const specialTokens = ['<|im_start|>', '<|im_end|>'];
const texts = ['low low low low low', 'lower lower', 'newest newest newest newest newest newest'];
const train = (vocabularySize: number) => trainBpe(texts, { vocabularySize, specialTokens });

test('words are split like by the pre-tokenizer qwen2: single digits, a space belongs to the word after it', () => {
  expect(splitWords("What's 12 + 3?\n\nHi  there ")).toEqual([
    'What',
    "'s",
    ' ',
    '1',
    '2',
    ' +',
    ' ',
    '3',
    '?\n\n',
    'Hi',
    ' ',
    ' there',
    ' ',
  ]);
  expect(splitWords('{"answer": "yellow"}')).toEqual(['{"', 'answer', '":', ' "', 'yellow', '"}']);
});

test('nothing of a text is lost in the split', () => {
  const text = ' a\tb\r\n\n c’s naïve 日本語 🙂  x\n';
  expect(splitWords(text).join('')).toBe(text);
});

test('bytes have the printable characters of GPT-2', () => {
  expect(toLetters(' a\n')).toEqual(['Ġ', 'a', 'Ċ']);
  expect(toLetters('é')).toEqual(['Ã', '©']);
  const all = new Set(Array.from({ length: 128 }, (_, i) => toLetters(String.fromCharCode(i))[0]));
  expect(all.size).toBe(128);
});

test('merges are ordered by count, then alphabetically', () => {
  // 'w e' 8 (newest 6, lower 2), 'l o' 7; then all pairs of newest have 6, and 'e we' sorts first.
  const { merges } = train(256 + 2 + 4);
  expect(merges).toEqual(['w e', 'l o', 'e we', 'ewe s']);
});

test('the vocabulary is 256 bytes, the merges, then the special tokens as control tokens', () => {
  const { tokens, tokenTypes, merges } = train(256 + 2 + 5);
  expect(tokens).toHaveLength(256 + 2 + 5);
  expect(new Set(tokens).size).toBe(tokens.length);
  expect(merges).toHaveLength(5);
  expect(tokens.slice(256, 261)).toEqual(merges.map((merge: string) => merge.replace(' ', '')));
  expect(tokens.slice(-2)).toEqual(specialTokens);
  expect(tokenTypes).toEqual([...Array(261).fill(1), 3, 3]);
});

test('training ends when no pair is left', () => {
  const { merges, tokens } = train(5000);
  expect(tokens.length).toBe(256 + merges.length + 2);
  expect(tokens).toContain('newest');
  expect(tokens).toContain('Ġnewest');
});

test('the same texts give the same tokenizer, in any order of the texts', () => {
  const again = trainBpe([...texts].reverse(), { vocabularySize: 290, specialTokens });
  expect(again).toEqual(train(290));
});

test('decode is the inverse of encode, for any text', () => {
  const { encode, decode } = createEncoder(train(270));
  for (const text of ['newest lower', 'Ünïcödé 🙂 日本', '', ' \n\t ', 'a<|im_end|>\nb']) {
    expect(decode(encode(text))).toBe(text);
  }
});

test('special tokens are one token each and learned words are short', () => {
  const tokenizer = train(300);
  const { encode } = createEncoder(tokenizer);
  expect(encode('<|im_start|>')).toEqual([tokenizer.tokens.indexOf('<|im_start|>')]);
  expect(encode(' newest')).toEqual([tokenizer.tokens.indexOf('Ġnewest')]);
  expect(encode('zzz')).toHaveLength(3);
});

test('a vocabulary too small for the bytes is refused', () => {
  expect(() => train(200)).toThrow(/at least 258 but received 200/);
});
