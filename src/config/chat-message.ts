import { z } from 'zod';
import { parseExactJson, plainNumber } from './exact-json.js';

/** One part of a message's content. Only texts are supported. */
export interface TextPart {
  type: 'text';
  text: string;
}

/**
 * One message of a conversation, as datasets and APIs write it. Keys that are null count as absent; other keys are passed to
 * the chat template.
 */
export interface ChatMessage {
  /** Loss weight of an assistant turn, 0 or more. Default: 1. */
  weight?: number | null;
  /** `false` is the same as weight 0. */
  train?: boolean | null;
  /**
   * 'system', 'user', 'assistant', 'tool', or another role that the chat template supports. Names that other formats use for
   * these four ('model', 'gpt', 'human', …) are accepted, in any case.
   */
  role: string;
  /** A text, or a list of text parts, which are joined. Absent only with other content, e.g. tool calls. */
  content?: string | readonly TextPart[] | null;
  [key: string]: unknown;
}

/** A message as the chat template receives it. */
export interface TemplateMessage {
  role: string;
  content?: string;
  weight?: number;
  train?: boolean;
  [key: string]: unknown;
}

/** What other formats call the four roles. */
const ROLES: Readonly<Record<string, string>> = {
  system: 'system',
  user: 'user',
  human: 'user',
  assistant: 'assistant',
  model: 'assistant',
  gpt: 'assistant',
  chatgpt: 'assistant',
  bot: 'assistant',
  bard: 'assistant',
  bing: 'assistant',
  tool: 'tool',
  function_response: 'tool',
  observation: 'tool',
};

/** The role of a chat template for a role of any format; other roles stay as they are. */
export const roleOf = (role: string): string => ROLES[role.toLowerCase()] ?? role;

/** The upper limit keeps the value finite as a 32-bit float. */
export const weightValue = z.number().min(0).max(1e30);

/** A weight that may be a number as its file has it. */
export const lossWeight = z.preprocess(plainNumber, weightValue.nullish());

type Issue = (path: (string | number)[], message: string) => void;

const looseMessage = z.looseObject({
  role: z.string().min(1),
  content: z.unknown().optional(),
  weight: lossWeight,
  train: z.boolean().nullish(),
});

/** Schema of a message: its input is a ChatMessage, its output a TemplateMessage. */
export const chatMessageSchema = looseMessage.transform((given, context): TemplateMessage => {
  const issue: Issue = (path, message) =>
    context.addIssue({ code: 'custom', path, message, input: given });
  const message = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== null && value !== undefined),
  ) as TemplateMessage;
  message.role = roleOf(message.role);
  const content = textOf(given.content, issue);
  if (content !== undefined) message.content = content;
  if (message.tool_calls !== undefined) {
    const calls = toolCalls(message.tool_calls, issue);
    if (calls.length === 0) delete message.tool_calls;
    else message.tool_calls = calls;
  }
  checkWeight(message, issue);
  checkContent(message, given.content, issue);
  return message;
});

/** The text of a content; undefined if it is absent or wrong. */
function textOf(content: unknown, issue: Issue): string | undefined {
  if (content === null || content === undefined) return undefined;
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) {
    issue(['content'], `expected a text or a list of text parts but received ${kindOf(content)}`);
    return undefined;
  }
  return content.map((part, i) => textOfPart(part, i, issue)).join('');
}

function textOfPart(part: unknown, i: number, issue: Issue): string {
  if (typeof part === 'string') return part;
  const { type, text } = (part ?? {}) as { type?: unknown; text?: unknown };
  if (typeof text === 'string' && (type === 'text' || type === undefined)) return text;
  const received = typeof type === 'string' ? `a part of type '${type}'` : kindOf(part);
  issue(['content', i], `expected a part of type 'text' with a text but received ${received}`);
  return '';
}

/** Tool calls whose arguments are objects, as chat templates expect them; OpenAI's API writes them as JSON text. */
function toolCalls(calls: unknown, issue: Issue): unknown[] {
  if (!Array.isArray(calls)) {
    issue(['tool_calls'], `expected a list but received ${kindOf(calls)}`);
    return [];
  }
  return calls.map((call, i) => withArguments(call, ['tool_calls', i], issue));
}

function withArguments(call: unknown, path: (string | number)[], issue: Issue): unknown {
  if (typeof call !== 'object' || call === null) return call;
  const { function: inner, arguments: given } = call as Record<string, unknown>;
  if (inner !== undefined) {
    return { ...call, function: withArguments(inner, [...path, 'function'], issue) };
  }
  if (typeof given !== 'string') return call;
  if (given.trim() === '') return { ...call, arguments: {} };
  try {
    return { ...call, arguments: parseExactJson(given) };
  } catch (error) {
    issue([...path, 'arguments'], `expected JSON text: ${(error as Error).message}`);
    return call;
  }
}

function checkWeight({ weight, train }: TemplateMessage, issue: Issue): void {
  if (weight === undefined || train === undefined || train === weight > 0) return;
  issue(['weight'], `expected a weight that agrees with train: ${train} but received ${weight}`);
}

/** Keys that say something about a message but are not what it says. */
const NOT_CONTENT = new Set(['role', 'content', 'name', 'weight', 'train', 'id', 'tool_call_id']);

function checkContent(message: TemplateMessage, given: unknown, issue: Issue): void {
  const hasOther = Object.keys(message).some((key) => !NOT_CONTENT.has(key));
  if (hasOther || (message.content ?? '') !== '') return;
  // an empty question or tool result is possible; an empty answer teaches the model to say nothing
  if (message.content === '' && message.role !== 'assistant') return;
  const expected =
    message.role === 'assistant'
      ? 'expected an answer, or other content such as tool_calls,'
      : 'expected a text';
  const received =
    given === undefined
      ? 'nothing'
      : given === null
        ? 'null'
        : given === ''
          ? 'an empty text'
          : kindOf(given);
  if (typeof given === 'string' || given === null || given === undefined || Array.isArray(given)) {
    issue(['content'], `${expected} but received ${received}`);
  }
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  return typeof value === 'object' ? 'an object' : `${JSON.stringify(value)}`;
}
