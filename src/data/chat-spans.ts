import type { ChatMessage } from '../config/dataset-row.js';
import { LlamatuneError } from '../errors.js';

/** A part of a text, in UTF-16 units. */
export interface TextSpan {
  start: number;
  end: number;
}

export type RenderMessages = (
  messages: readonly ChatMessage[],
  addGenerationPrompt: boolean,
) => string;

/** What the search for one turn works with. */
interface Search {
  /** The whole conversation's rendering. */
  text: string;
  messages: readonly ChatMessage[];
  render: RenderMessages;
  /** Texts that end a turn, e.g. '<|im_end|>'. */
  ends: readonly string[];
}

/**
 * Where the assistant's turns lie in a rendered conversation: from where generation would continue
 * (the role header excluded) to the end-of-turn token (included).
 *
 * Any template will do, as its own renderings are compared: up to before the turn, with the header
 * of an assistant's turn, and up to after it. Some templates render a turn otherwise once more
 * messages follow (they strip earlier reasoning), or open a generation with text that finished turns lack.
 * Then a marker in place of the content shows where the content lies, and the end-of-turn token ends it.
 *
 * @throws LlamatuneError TEMPLATE_FAILED when a turn cannot be told from the rest.
 */
export function findAssistantTurns(
  text: string,
  messages: readonly ChatMessage[],
  turns: readonly number[],
  render: RenderMessages,
  ends: readonly string[],
): TextSpan[] {
  const search: Search = { text, messages, render, ends: ends.filter((end) => end !== '') };
  let previous = 0;
  return turns.map((index) => {
    const span = findTurn(search, index);
    if (span === undefined || span.start < previous || span.end <= span.start) {
      throw new LlamatuneError(
        'TEMPLATE_FAILED',
        `expected a chat template that renders message ${index + 1} (assistant) where it can be told ` +
          'from the rest but received a rendering without it',
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
    // A span that goes on after an end-of-turn token holds more than the turn: look closer.
    if (end !== undefined) return { start: exactStart, end };
  }

  const content = findContent(search, index);
  const start = exactStart ?? content?.start;
  if (start === undefined) return undefined;
  const end = endOfTurn(search, content?.end ?? start);
  if (end !== undefined && (exactEnd === undefined || end <= exactEnd)) return { start, end };
  return exactEnd === undefined ? undefined : { start, end: exactEnd };
}

/** Templates may refuse a part of a conversation, e.g. one without any message. */
function attempt(
  search: Search,
  messages: readonly ChatMessage[],
  addGenerationPrompt: boolean,
): string | undefined {
  try {
    return search.render(messages, addGenerationPrompt);
  } catch {
    return undefined;
  }
}

/** Where the content of a message lies, found by rendering a marker in its place. */
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
 * Where a span's last end-of-turn token ends: line breaks after it belong to the template, as
 * generation has ended before them, and so does a second end token that closes the whole text. The
 * span's own end where it has no such token; undefined where it has one, but goes on after it.
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
