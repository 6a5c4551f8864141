import { Template } from '@huggingface/jinja';
import type { TemplateMessage } from '../config/chat-message.js';
import { LlamatuneError } from '../errors.js';

export interface RenderChatOptions {
  /** Appends the header of an assistant turn, for the model to continue. Default: false. */
  addGenerationPrompt?: boolean;
  /** Text of the BOS and EOS tokens, which many templates write. Default: ''. */
  bosToken?: string;
  eosToken?: string;
  /** Tool descriptions, passed to the template unchanged. Default: none. */
  tools?: readonly unknown[] | null;
}

/** Cache of parsed templates, because parsing costs more than rendering. */
const parsed = new Map<string, Template>();
const PARSED_LIMIT = 16;

/**
 * Renders a conversation with a Jinja chat template.
 *
 * @throws LlamatuneError NO_CHAT_TEMPLATE if there is no template, TEMPLATE_FAILED if it cannot be parsed or refuses the
 *   conversation, e.g. because its roles do not alternate.
 */
export function renderChat(
  template: string | null | undefined,
  messages: readonly TemplateMessage[],
  options: RenderChatOptions = {},
): string {
  if (template === null || template === undefined || template === '') {
    throw new LlamatuneError('NO_CHAT_TEMPLATE', 'the model has no chat template', {
      hint: 'give a Jinja template as chatTemplate, or use prompt/completion or text rows',
    });
  }
  try {
    return parse(template).render({
      messages,
      tools: options.tools ?? null,
      documents: null,
      add_generation_prompt: options.addGenerationPrompt ?? false,
      bos_token: options.bosToken ?? '',
      eos_token: options.eosToken ?? '',
    });
  } catch (cause) {
    throw new LlamatuneError(
      'TEMPLATE_FAILED',
      `the chat template cannot render the conversation: ${(cause as Error).message}`,
      { hint: 'check roles and their order, or give another template as chatTemplate', cause },
    );
  }
}

function parse(source: string): Template {
  let template = parsed.get(source);
  if (template === undefined) {
    template = new Template(source);
    if (parsed.size >= PARSED_LIMIT) parsed.clear();
    parsed.set(source, template);
  }
  return template;
}
