import type { ChatMessage } from '../config/dataset-row.js';
import { renderChat } from './chat-template.js';
import { missesBos, specialTexts, type TextModel } from './tokenizer.js';

export interface ChatPromptOptions {
  /** In place of the model's own chat template. */
  chatTemplate?: string | undefined;
  /** Tool descriptions, handed to the template as they are. */
  tools?: readonly unknown[] | undefined;
}

/** The tokens of a plain text to continue: what training put before a completion. */
export function encodePrompt(model: TextModel, text: string): Int32Array {
  const vocabulary = model.info();
  const tokens = model.tokenize(text, false, true);
  return missesBos(tokens, vocabulary)
    ? Int32Array.from([vocabulary.bosToken!, ...tokens])
    : tokens;
}

/**
 * The tokens of a conversation to answer: what training put before an assistant's turn.
 *
 * @throws LlamatuneError NO_CHAT_TEMPLATE, TEMPLATE_FAILED
 */
export function encodeChatPrompt(
  model: TextModel,
  messages: readonly ChatMessage[],
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
