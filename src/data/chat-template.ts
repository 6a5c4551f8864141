import { Template } from '@huggingface/jinja';
import type { ChatMessage } from '../config/dataset-row.js';
import { LlamatuneError } from '../errors.js';

export interface RenderChatOptions {
  /** End with the header of the assistant's turn, for the model to continue. Default: false. */
  addGenerationPrompt?: boolean;
  /** Text of the BOS and EOS tokens, which many templates write themselves. Default: ''. */
  bosToken?: string;
  eosToken?: string;
  /** Tool descriptions, handed to the template as they are. Default: none. */
  tools?: readonly unknown[] | null;
}

/** Parsing costs more than rendering; a run uses one template, a process a few. */
const parsed = new Map<string, Template>();
const PARSED_LIMIT = 16;

/**
 * The text that a Jinja chat template makes of a conversation.
 *
 * @throws LlamatuneError NO_CHAT_TEMPLATE when there is none, TEMPLATE_FAILED when it cannot be
 *   parsed or refuses the conversation (templates do: roles that do not alternate, for example).
 */
export function renderChat(
  template: string | null | undefined,
  messages: readonly ChatMessage[],
  options: RenderChatOptions = {},
): string {
  if (template === null || template === undefined || template === '') {
    throw new LlamatuneError(
      'NO_CHAT_TEMPLATE',
      'expected a model with a chat template but received one without',
      { hint: 'give a Jinja template as chatTemplate, or use prompt/completion or text rows' },
    );
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
      `expected a conversation that the chat template renders but received its error: ${(cause as Error).message}`,
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
