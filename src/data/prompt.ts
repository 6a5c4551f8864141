import type { TemplateMessage } from '../config/chat-message.js';
import { renderChat } from './chat-template.js';
import { needsBos, specialTexts, type TextModel } from './tokenizer.js';

export interface ChatPromptOptions {
  /** Replaces the chat template of the model. */
  chatTemplate?: string | undefined;
  /** Tool descriptions, passed to the template unchanged. */
  tools?: readonly unknown[] | undefined;
}

/** Tokens of a plain-text prompt, identical to those that training puts before a completion. */
export function encodePrompt(model: TextModel, text: string): Int32Array {
  const vocabulary = model.info();
  const tokens = model.tokenize(text, false, true);
  return needsBos(tokens, vocabulary) ? Int32Array.from([vocabulary.bosToken!, ...tokens]) : tokens;
}

/**
 * Tokens of a conversation to answer, identical to those that training puts before an assistant turn.
 *
 * @throws LlamatuneError NO_CHAT_TEMPLATE, TEMPLATE_FAILED
 */
export function encodeChatPrompt(
  model: TextModel,
  messages: readonly TemplateMessage[],
  options: ChatPromptOptions = {},
): Int32Array {
  const vocabulary = model.info();
  const special = specialTexts(model, vocabulary);
  const text = renderChat(options.chatTemplate ?? vocabulary.chatTemplate, messages, {
    addGenerationPrompt: true,
    bosToken: special.bos,
    eosToken: special.eos,
    tools: options.tools ?? null,
  });
  return encodePrompt(model, text);
}
