import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { LlamatuneError } from '../errors.js';
import { NAMED_TEMPLATES } from './named-templates.js';

/** A text with a tag is a template; a path or a name has none. */
const TAG = /\{[{%#]/;

/**
 * The text of a chat template that is given as text, as a path, or as the name of a common format.
 *
 * @throws LlamatuneError CHAT_TEMPLATE_NOT_FOUND, CHAT_TEMPLATE_UNREADABLE
 */
export function readChatTemplate(given: string): string;
export function readChatTemplate(given: string | undefined): string | undefined;
export function readChatTemplate(given: string | undefined): string | undefined {
  if (given === undefined || given === '' || TAG.test(given)) return given;
  const named = NAMED_TEMPLATES.get(given.toLowerCase());
  if (named !== undefined) return named;
  try {
    return readFileSync(given, 'utf8').replace(/^\uFEFF/, '');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENAMETOOLONG') throw notFound(given, cause);
    throw new LlamatuneError(
      'CHAT_TEMPLATE_UNREADABLE',
      `cannot read the chat template '${given}': ${message}`,
      { hint: 'name a file that holds a Jinja template, and check its permissions', cause },
    );
  }
}

/** Options whose chat template is a text, whatever way it was given. @throws as readChatTemplate() */
export function withChatTemplate<C extends { chatTemplate?: string | undefined }>(config: C): C {
  return config.chatTemplate === undefined
    ? config
    : { ...config, chatTemplate: readChatTemplate(config.chatTemplate) };
}

function notFound(given: string, cause: unknown): LlamatuneError {
  const names = [...NAMED_TEMPLATES.keys()].join(', ');
  const isPath = /[/\\]|\.(jinja2?|j2|txt)$/i.test(given);
  const shown = given.length > 200 ? `${given.slice(0, 200)}…` : given;
  return isPath
    ? new LlamatuneError('CHAT_TEMPLATE_NOT_FOUND', `chat template not found: ${shown}`, {
        hint: `check the path; it means ${resolve(given)}`,
        cause,
      })
    : new LlamatuneError(
        'CHAT_TEMPLATE_NOT_FOUND',
        `'${shown}' is neither a known chat template nor a file`,
        { hint: `known names: ${names}; a template's text contains {{ or {%`, cause },
      );
}
