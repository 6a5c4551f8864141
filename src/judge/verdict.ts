import type { GeneratedSequence } from '../generate/generate-many.js';
import { withoutThinking } from '../generate/thinking.js';

/** Which of the answers in the prompt is better. */
export type JudgeChoice = 'A' | 'B' | 'tie';

/** One verdict: a line of verdicts.jsonl. */
export interface JudgeVerdict {
  /** Whether this is a pair with a known winner: systems 'better' and 'worse'. */
  check: boolean;
  index: number;
  sample: number;
  /** The systems whose answers were shown as A and as B. */
  answerA: string;
  answerB: string;
  /** null: the judge gave no valid verdict. */
  verdict: JudgeChoice | null;
  /** The system that the verdict names; null for a tie and without a valid verdict. */
  winner: string | null;
  /** What the judge wrote before the verdict. */
  explanation: string;
  /** All that the judge wrote. */
  text: string;
  finishReason: GeneratedSequence['finishReason'];
  promptTokens: number;
  generatedTokens: number;
  /** Why the question could not be answered, otherwise null. */
  error: { code: string; message: string; hint: string } | null;
}

/** What a judge wrote. */
export interface ParsedVerdict {
  /** null: the text has no valid verdict. */
  choice: JudgeChoice | null;
  /** The text before the verdict; '' without one. */
  explanation: string;
}

/** Characters around a verdict that do not count: markup, quotes and punctuation. */
const MARK = '[\\s*_`"\'\\[\\]().:]*';
const LABELLED = new RegExp(
  `\\b(?:[Vv]erdict|VERDICT)\\b${MARK}(?:[Aa]nswer\\s+|[Aa]\\s+(?=[Tt]ie))?(A|B|[Tt]ie|TIE)\\b`,
  'g',
);
const BRACKETED = /\[\[\s*(a|b|c|tie)\s*\]\]/gi;
const ALONE = new RegExp(`^${MARK}(?:answer\\s+)?(a|b|tie)${MARK}$`, 'i');

/**
 * Reads a verdict: what follows the last 'Verdict:', otherwise the last '[[A]]', '[[B]]', '[[C]]' (a tie) or '[[tie]]',
 * otherwise a text that is only 'A', 'B' or 'tie', also with 'answer' before it. Case, markup and punctuation do not
 * matter, but A and B after 'Verdict:' are upper case, because 'a' is also a word. Reasoning before `</think>` is left out;
 * a text whose reasoning did not end has no verdict.
 */
export function parseVerdict(text: string): ParsedVerdict {
  const said = withoutThinking(text);
  if (said === '') return { choice: null, explanation: text.trim() };
  const found = [...said.matchAll(LABELLED)].at(-1) ?? [...said.matchAll(BRACKETED)].at(-1);
  if (found !== undefined) {
    return { choice: choiceOf(found[1]!), explanation: said.slice(0, found.index).trim() };
  }
  const alone = ALONE.exec(said);
  return alone === null
    ? { choice: null, explanation: said.trim() }
    : { choice: choiceOf(alone[1]!), explanation: '' };
}

function choiceOf(text: string): JudgeChoice {
  const upper = text.toUpperCase();
  return upper === 'A' || upper === 'B' ? upper : 'tie';
}

const VERDICTS = '"A" | "B" | "tie"';

/**
 * GBNF grammar of a verdict, or of an explanation on one line and a verdict on the next one.
 *
 * @param maxTokens limits the explanation, so that the verdict is not cut off
 */
export function verdictGrammar(explain: boolean, maxTokens: number): string {
  if (!explain) return `root ::= ${VERDICTS}`;
  const most = Math.max(1, maxTokens - TOKENS_OF_VERDICT);
  return `root ::= [^\\n]{1,${most}} "\\nVerdict: " (${VERDICTS})`;
}

/** Most tokens of '\nVerdict: tie', if each character is a token. */
const TOKENS_OF_VERDICT = 16;
