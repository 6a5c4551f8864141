import { describe, expect, it } from 'vitest';
import { LabelParser, YES_NO_UNCERTAIN } from '../../../src/evaluate/labels.js';

describe('LabelParser with yes, no and uncertain', () => {
  const parser = new LabelParser(YES_NO_UNCERTAIN);

  it.each([
    ['Yes. Rationale: no side effects were seen.', 'yes'],
    ['No, yes would be wrong.', 'no'],
    ['**NO**', 'no'],
    ['Maybe.', 'uncertain'],
    ['It is not clear whether it is true.', 'uncertain'],
    ['I don’t know.', 'uncertain'],
    ['That is not\n correct.', 'no'],
    ['The answer is: yes', 'yes'],
    ['Notably, nothing is known.', null],
    ['Yesterday', null],
    ['', null],
  ])('finds in %j the label %j', (text, label) => {
    expect(parser.parse(text)).toBe(label);
  });

  it('maps the labels of a dataset', () => {
    expect(parser.named('Uncertain')).toBe('uncertain');
    expect(parser.named(' maybe ')).toBe('uncertain');
    expect(parser.named(true)).toBe('yes');
    expect(parser.named('Yes, it is')).toBeNull();
    expect(parser.named(undefined)).toBeNull();
  });
});

describe('LabelParser with other labels', () => {
  it('takes the first, and the longest of those at one place', () => {
    const parser = new LabelParser({ spam: [], 'spam (phishing)': [], ham: ['not spam'] });
    expect(parser.parse('This is spam (phishing).')).toBe('spam (phishing)');
    expect(parser.parse('This is spam, not ham.')).toBe('spam');
    expect(parser.parse('Not spam.')).toBe('ham');
  });

  it('keeps the case of labels of one letter', () => {
    const parser = new LabelParser({ A: [], B: [] });
    expect(parser.parse('a choice: B')).toBe('B');
    expect(parser.parse('(A)')).toBe('A');
    expect(parser.named('b')).toBeNull();
  });

  it('finds labels with hyphens', () => {
    const parser = new LabelParser({ responder: [], 'non-responder': [], '-1': [] });
    expect(parser.parse('A non-responder.')).toBe('non-responder');
    expect(parser.parse('-1')).toBe('-1');
  });

  it('finds labels in scripts without spaces, and with accents and signs', () => {
    const parser = new LabelParser({ 是: [], 否: [], été: [], 'c++': [], नहीं: [] });
    expect(parser.parse('नहीं।')).toBe('नहीं');
    expect(parser.parse('नहींतर')).toBeNull();
    expect(parser.parse('答案是肯定的')).toBe('是');
    expect(parser.parse('l’e\u0301te\u0301')).toBe('été');
    expect(parser.parse('étés')).toBeNull();
    expect(parser.parse('in C++!')).toBe('c++');
  });
});
