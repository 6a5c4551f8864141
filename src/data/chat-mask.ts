import type { TemplateMessage } from '../config/chat-message.js';
import type { ParsedRow } from '../config/dataset-row.js';
import { LlamatuneError } from '../errors.js';
import { findAssistantTurns, type RenderMessages } from './chat-spans.js';
import type { Piece } from './encode-pieces.js';
import type { LossOn } from './encode-sample.js';
import type { TextSpan } from './jinja/output.js';

export type ChatContent = Extract<ParsedRow, { kind: 'chat' }>;

/** The loss weight of a message; undefined if it has none. */
export function weightOf({ weight, train }: TemplateMessage): number | undefined {
  return weight ?? (train === false ? 0 : train === true ? 1 : undefined);
}

/** The assistant messages that `loss` covers, by their index. */
export function learnedTurns({ messages, promptMessages }: ChatContent, loss: LossOn): number[] {
  const assistant = [...messages.keys()].filter((i) => messages[i]!.role === 'assistant');
  const learned = assistant.filter((i) => i >= promptMessages);
  const onlyLast = loss === 'last-assistant' || (loss === 'completion' && promptMessages === 0);
  return onlyLast ? learned.slice(-1) : learned;
}

/** Whether a chat template writes at most white space after an answer that ends a conversation. */
export function endsWithAnswer(render: (messages: readonly TemplateMessage[]) => string): boolean {
  const answer = 'llamatune-answer';
  try {
    const text = render([
      { role: 'user', content: 'a question' },
      { role: 'assistant', content: answer },
    ]);
    return text.trimEnd().endsWith(answer);
  } catch {
    // a template for other conversations: its answers are taken as they are
    return false;
  }
}

/**
 * The text of a conversation in pieces, with a loss weight each. If the template has generation blocks, these say what an
 * assistant turn is; otherwise the turns are found by comparing renderings.
 *
 * @param turns the assistant messages whose weight differs from `between`, the weight of everything else
 * @param ends texts that end a turn
 * @throws LlamatuneError TEMPLATE_FAILED if a turn cannot be found.
 */
export function chatPieces(
  { messages }: ChatContent,
  turns: readonly number[],
  between: number,
  render: RenderMessages,
  ends: readonly string[],
): Piece[] {
  const { text, generated } = render(messages, false);
  const spans =
    generated === null
      ? findAssistantTurns(text, messages, turns, render, ends).map((span) => [span])
      : markedTurns(generated, messages, turns, render);
  let at = 0;
  const pieces: Piece[] = [];
  for (const [i, parts] of spans.entries()) {
    const weight = weightOf(messages[turns[i]!]!) ?? 1;
    for (const { start, end } of parts) {
      pieces.push({ text: text.slice(at, start), weight: between });
      pieces.push({ text: text.slice(start, end), weight });
      at = end;
    }
  }
  return [...pieces, { text: text.slice(at), weight: between }];
}

/**
 * The parts that generation blocks wrote for each of the turns. How many of them belong to a message shows in the renderings
 * that end with it and with the assistant message before it.
 */
function markedTurns(
  generated: readonly TextSpan[],
  messages: readonly TemplateMessage[],
  turns: readonly number[],
  render: RenderMessages,
): TextSpan[][] {
  const counts = new Map<number, number>([[messages.length, generated.length]]);
  const countThrough = (index: number): number => {
    if (index < 0) return 0;
    const known = counts.get(index + 1);
    if (known !== undefined) return known;
    const count = render(messages.slice(0, index + 1), false).generated?.length ?? 0;
    counts.set(index + 1, count);
    return count;
  };
  return turns.map((index) => {
    const before = messages.slice(0, index).findLastIndex(({ role }) => role === 'assistant');
    const [first, end] = [countThrough(before), countThrough(index)];
    if (end < first || end > generated.length) throw unknownPlace(index);
    return generated.slice(first, end);
  });
}

const unknownPlace = (index: number): LlamatuneError =>
  new LlamatuneError(
    'TEMPLATE_FAILED',
    `the generation blocks of the chat template write less for the whole conversation than for its first ${index + 1} messages`,
    { hint: 'remove the generation blocks: then assistant turns are found without them' },
  );
