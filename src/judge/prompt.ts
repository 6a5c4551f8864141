import type { TemplateMessage } from '../config/chat-message.js';
import { type JudgeConfig, type Placeholder, placeholdersIn } from '../config/judge.js';

/** The prompt of a judge without the option `prompt`. */
export const DEFAULT_PROMPT = `Two answers to the same question follow. Decide which answer is better.

{rubric}

Question:
{prompt}

Answer A:
{answerA}

Answer B:
{answerB}

{instruction}`;

/** The rubric of a judge without the option `rubric`. */
export const DEFAULT_RUBRIC =
  'The better answer is correct, answers what was asked, and is clear. Neither the order nor the length of the answers matters.';

const CHOICES =
  '"A" if answer A is better, "B" if answer B is better, or "tie" if both are equally good';
/** {instruction}: the form of the verdict. */
export const INSTRUCTIONS = {
  verdict: `Reply only with ${CHOICES}.`,
  explanation: `First explain your decision in one or two sentences, on one line. Then write a new line with "Verdict: " and ${CHOICES}.`,
} as const;

/** What the placeholders of a comparison stand for. */
export interface PromptValues {
  prompt: string;
  answerA: string;
  answerB: string;
  reference: string | null;
}

/** The template of the judge's prompt, with the texts that are the same for all comparisons. */
export class JudgePrompt {
  readonly template: string;
  readonly rubric: string;
  readonly instruction: string;

  constructor({ prompt, rubric, explain }: Pick<JudgeConfig, 'prompt' | 'rubric' | 'explain'>) {
    this.template = prompt ?? DEFAULT_PROMPT;
    this.rubric = rubric ?? DEFAULT_RUBRIC;
    this.instruction = explain ? INSTRUCTIONS.explanation : INSTRUCTIONS.verdict;
  }

  /** Whether the judge sees the reference. */
  get showsReference(): boolean {
    return placeholdersIn(this.template).includes('reference');
  }

  /** The text of a comparison. Placeholders in the answers are text. */
  fill(values: PromptValues): string {
    const texts: Record<Placeholder, string> = {
      ...values,
      reference: values.reference ?? '',
      rubric: this.rubric,
      instruction: this.instruction,
    };
    return this.template.replaceAll(
      /\{([a-zA-Z]+)\}/g,
      (_, name: string) => texts[name as Placeholder],
    );
  }
}

/** A conversation as text: the text of a single user message, otherwise every message with its role before it. */
export function promptText(prompt: string | readonly TemplateMessage[]): string {
  if (typeof prompt === 'string') return prompt;
  const [first, ...others] = prompt;
  if (first?.role === 'user' && others.length === 0) return first.content ?? '';
  return prompt
    .map(({ role, content }) => `${role[0]!.toUpperCase()}${role.slice(1)}: ${content ?? ''}`)
    .join('\n\n');
}
