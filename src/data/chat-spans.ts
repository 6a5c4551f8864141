import type { TemplateMessage } from '../config/chat-message.js';
import { LlamatuneError } from '../errors.js';
import type { TextSpan } from './jinja/output.js';
import type { Rendering } from './jinja/template.js';

/** Renders messages with the chat template. */
export type RenderMessages = (
  messages: readonly TemplateMessage[],
  addGenerationPrompt: boolean,
) => Rendering;

/** The input of the search for a turn. */
interface Search {
  /** The whole conversation's rendering. */
  text: string;
  messages: readonly TemplateMessage[];
  render: RenderMessages;
  /** Texts that end a turn, e.g. '<|im_end|>'. */
  ends: readonly string[];
}

/**
 * Finds the assistant turns in a rendered conversation: from the place where generation would continue (after the role
 * header) to the end-of-turn token, which is included.
 *
 * This works with any template, because it compares renderings: of the messages before the turn, with the header of an
 * assistant turn, and of the messages up to the turn. Some templates render a turn differently when more messages follow
 * (they strip earlier reasoning), or start a generation with text that finished turns do not have. In that case the content
 * is found by rendering a marker in its place, and the turn ends at the end-of-turn token.
 *
 * @throws LlamatuneError TEMPLATE_FAILED if a turn cannot be found.
 */
export function findAssistantTurns(
  text: string,
  messages: readonly TemplateMessage[],
  turns: readonly number[],
  render: RenderMessages,
  ends: readonly string[],
): TextSpan[] {
  const search: Search = { text, messages, render, ends };
  let previous = 0;
  return turns.map((index) => {
    const span = findTurn(search, index);
    if (span === undefined || span.start < previous || span.end <= span.start) {
      throw new LlamatuneError(
        'TEMPLATE_FAILED',
        `cannot find message ${index + 1} (assistant) in the output of the chat template`,
        { hint: "use loss: 'all', prompt/completion rows, or another chatTemplate" },
      );
    }
    previous = span.end;
    return span;
  });
}

function findTurn(search: Search, index: number): TextSpan | undefined {
  const { text } = search;
  const before = attempt(search, search.messages.slice(0, index), true);
  const through = attempt(search, search.messages.slice(0, index + 1), false);
  const exactStart = before !== undefined && text.startsWith(before) ? before.length : undefined;
  const exactEnd = through !== undefined && text.startsWith(through) ? through.length : undefined;
  if (exactStart !== undefined && exactEnd !== undefined) {
    const end = afterEndToken(search, exactStart, exactEnd);
    // A span that continues after an end-of-turn token contains more than the turn: search for its content.
    if (end !== undefined) return { start: exactStart, end };
  }

  const content = findContent(search, index);
  const start = exactStart ?? content?.start;
  if (start === undefined) return undefined;
  const end = endOfTurn(search, content?.end ?? start);
  // An end token behind the next content is another turn's: this one has none.
  const next = findContent(search, index + 1)?.start;
  const limit = Math.min(exactEnd ?? text.length, next ?? text.length);
  if (end !== undefined && end <= limit) return { start, end };
  const last = exactEnd ?? (next === undefined ? undefined : content?.end);
  return last === undefined ? undefined : { start, end: last };
}

/** Renders part of a conversation; undefined if the template refuses it, e.g. because it has no messages. */
function attempt(
  search: Search,
  messages: readonly TemplateMessage[],
  addGenerationPrompt: boolean,
): string | undefined {
  try {
    return search.render(messages, addGenerationPrompt).text;
  } catch {
    return undefined;
  }
}

/** Finds the content of a message by rendering a marker in its place. */
function findContent(search: Search, index: number): TextSpan | undefined {
  const message = search.messages[index];
  if (typeof message?.content !== 'string') return undefined;
  let marker = 'llamatune-marker';
  while (search.text.includes(marker)) marker += '-x';
  const marked = attempt(
    search,
    search.messages.map((each, i) => (i === index ? { ...each, content: marker } : each)),
    false,
  );
  const at = marked?.indexOf(marker) ?? -1;
  if (marked === undefined || at < 0 || marked.indexOf(marker, at + 1) >= 0) return undefined;
  const [head, tail] = [marked.slice(0, at), marked.slice(at + marker.length)];
  const end = search.text.length - tail.length;
  const fits = end >= at && search.text.startsWith(head) && search.text.endsWith(tail);
  return fits ? { start: at, end } : undefined;
}

function endOfTurn({ text, ends }: Search, from: number): number | undefined {
  const found = ends
    .map((end) => ({ at: text.indexOf(end, from), length: end.length }))
    .filter(({ at }) => at >= 0)
    .sort((a, b) => a.at - b.at)[0];
  return found === undefined ? undefined : found.at + found.length;
}

/**
 * Returns the end of the first end-of-turn token among those that close a span. What follows it is written by the template
 * and never generated: line breaks, and an end token that closes the whole text. Without an end-of-turn token, returns the
 * end of the span; undefined if other text follows such a token.
 */
function afterEndToken(search: Search, start: number, end: number): number | undefined {
  const { text, ends } = search;
  let found: number | undefined;
  let rest = text.slice(start, end).trimEnd();
  for (;;) {
    const last = ends.find((each) => rest.endsWith(each));
    if (last === undefined) break;
    found = start + rest.length;
    rest = rest.slice(0, -last.length).trimEnd();
  }
  if (found !== undefined) return found;
  return ends.some((each) => rest.includes(each)) ? undefined : end;
}
