/** A fenced block of Markdown: the fence, the language, the text up to a fence of the same kind or the end. */
const BLOCK =
  /^[ \t]*(`{3,}|~{3,})[ \t]*([^\s`{]*)(?:[^\S\n][^\n`]*|\{[^\n`]*)?\n([\s\S]*?)(?:^[ \t]*\1[`~]*[ \t]*$|(?![\s\S]))/gm;

/**
 * The code of an answer: the first fenced block of the language, else the first block without a language, else, if there
 * is no fenced block at all, the whole text. A block that is not closed ends with the answer.
 *
 * @param names the language's names after a fence, in lower case
 * @returns null if there is no code, or only blocks of other languages
 */
export function extractCode(answer: string, names: readonly string[]): string | null {
  const blocks = Array.from(answer.replaceAll('\r\n', '\n').matchAll(BLOCK), (match) => ({
    language: match[2]!.toLowerCase(),
    code: match[3]!,
  }));
  const found =
    blocks.find(({ language }) => names.includes(language)) ??
    blocks.find(({ language }) => language === '');
  const code = blocks.length === 0 ? answer : (found?.code ?? '');
  return code.trim() === '' ? null : code;
}
