import { describe, expect, it } from 'vitest';
import { parseVerdict, verdictGrammar } from '../../../src/judge/verdict.js';

describe('parseVerdict', () => {
  it.each([
    ['A', 'A'],
    [' b.\n', 'B'],
    ['**Tie**', 'tie'],
    ['Answer B', 'B'],
    ['[[A]]', 'A'],
    ['Both are fine, so [[C]].', 'tie'],
    ['A names the cause.\nVerdict: B', 'B'],
    ['**Verdict:** [A]', 'A'],
    ['My verdict is clear. Verdict: answer A', 'A'],
    ['Verdict: A. On second thought, verdict: tie', 'tie'],
    ['Verdict: a tie', 'tie'],
    ['<think>Verdict: B?</think>A', 'A'],
  ])('reads %j as %s', (text, choice) => {
    expect(parseVerdict(text).choice).toBe(choice);
  });

  it.each([
    '',
    'C',
    'Answer A is better than B',
    'A or B',
    'Verdict: a better one is hard to find',
    'Verdict: Answer',
    'Verdict: Both',
    '<think>Verdict: A',
  ])('finds no verdict in %j', (text) => {
    expect(parseVerdict(text).choice).toBeNull();
  });

  it('separates the explanation', () => {
    expect(parseVerdict('A is complete.\nVerdict: A')).toEqual({
      choice: 'A',
      explanation: 'A is complete.',
    });
    expect(parseVerdict('I do not know.')).toEqual({ choice: null, explanation: 'I do not know.' });
  });
});

describe('verdictGrammar', () => {
  it('limits the explanation by the tokens that are left', () => {
    expect(verdictGrammar(false, 16)).toBe('root ::= "A" | "B" | "tie"');
    expect(verdictGrammar(true, 256)).toContain('[^\\n]{1,240} "\\nVerdict: "');
  });
});
