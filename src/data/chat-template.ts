import type { TemplateMessage } from '../config/chat-message.js';
import { LlamatuneError } from '../errors.js';
import { JinjaTemplate, type Rendering } from './jinja/template.js';
import { RaisedByTemplate } from './jinja/values.js';

export interface RenderChatOptions {
  /** Appends the header of an assistant turn, for the model to continue. Default: false. */
  addGenerationPrompt?: boolean;
  /** Text of the BOS and EOS tokens, which many templates write. Default: ''. */
  bosToken?: string;
  eosToken?: string;
  /** Tool descriptions, passed to the template unchanged. Default: none. */
  tools?: readonly unknown[] | null;
  /** The time that strftime_now() gives. Default: now. */
  now?: Date;
}

/** Cache of parsed templates, because parsing costs more than rendering. */
const parsed = new Map<string, JinjaTemplate>();
const PARSED_LIMIT = 16;

/**
 * Renders a conversation with a Jinja chat template, as Hugging Face's Transformers does in Python.
 *
 * @throws LlamatuneError NO_CHAT_TEMPLATE if there is no template, TEMPLATE_FAILED if it cannot be parsed or refuses the
 *   conversation, e.g. because its roles do not alternate.
 */
export function renderChat(
  template: string | null | undefined,
  messages: readonly TemplateMessage[],
  options: RenderChatOptions = {},
): string {
  return renderMarkedChat(template, messages, options).text;
}

/** Like renderChat(), with the parts of the text that the template marks as generated. */
export function renderMarkedChat(
  template: string | null | undefined,
  messages: readonly TemplateMessage[],
  options: RenderChatOptions = {},
): Rendering {
  if (template === null || template === undefined || template === '') {
    throw new LlamatuneError('NO_CHAT_TEMPLATE', 'the model has no chat template', {
      hint: 'give a Jinja template as chatTemplate, or use prompt/completion or text rows',
    });
  }
  try {
    return parse(template).render(
      {
        messages,
        tools: options.tools ?? null,
        documents: null,
        add_generation_prompt: options.addGenerationPrompt ?? false,
        bos_token: options.bosToken ?? '',
        eos_token: options.eosToken ?? '',
      },
      options.now,
    );
  } catch (cause) {
    throw cause instanceof RaisedByTemplate ? refused(cause) : failed(cause as Error);
  }
}

/** What the template's author refuses; the hint fits the usual reasons. */
function refused(cause: RaisedByTemplate): LlamatuneError {
  const { message } = cause;
  const advice = [
    /\b(?:system|developer)\b/i.test(message)
      ? 'put the text of the system message at the start of the first user message'
      : '',
    /\balternat/i.test(message)
      ? 'join consecutive messages of one role into one, and start with a user message'
      : '',
  ].filter((each) => each !== '');
  if (advice.length === 0) advice.push('change the messages as the template says');
  return new LlamatuneError(
    'TEMPLATE_FAILED',
    `the chat template refuses the conversation: ${message}`,
    { hint: `${advice.join('; ')}, or give another template as chatTemplate`, cause },
  );
}

const failed = (cause: Error): LlamatuneError =>
  new LlamatuneError(
    'TEMPLATE_FAILED',
    `the chat template cannot render the conversation: ${cause.message}`,
    { hint: 'check roles and their order, or give another template as chatTemplate', cause },
  );

function parse(source: string): JinjaTemplate {
  let template = parsed.get(source);
  if (template === undefined) {
    template = new JinjaTemplate(source);
    if (parsed.size >= PARSED_LIMIT) parsed.clear();
    parsed.set(source, template);
  }
  return template;
}
