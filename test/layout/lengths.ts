import type { SourceFile } from './import-rules.js';

export interface FoundFunction {
  /** Its definition up to the opening brace, without the template parameters. */
  head: string;
  /** Its first line, counted from 1. */
  line: number;
  /** Lines from its head to its closing brace. */
  lines: number;
}

/** A block that holds functions instead of being one. */
const container = /^(?:inline )?(?:namespace|struct|class|union|extern)\b/;

/**
 * The function definitions of a C++ file that clang-format has laid out: a definition begins at the indentation of its
 * block, and its closing brace has the same indentation. A lambda counts as part of the function that holds it.
 */
export function functionsOf(text: string): FoundFunction[] {
  return functionsIn(text.split('\n'), 0, '');
}

function functionsIn(lines: readonly string[], offset: number, indent: string): FoundFunction[] {
  const found: FoundFunction[] = [];
  const begins = new RegExp(`^${indent}[A-Za-z_~]`);
  for (let i = 0; i < lines.length; i++) {
    if (
      !begins.test(lines[i]!) ||
      /^\s*(public|private|protected|case|default)\b.*:$/.test(lines[i]!)
    )
      continue;
    const open = lines.findIndex((line, n) => n >= i && /[{;}]\s*(\/\/.*)?$/.test(line));
    if (open < 0 || !/\{\s*(\/\/.*)?$/.test(lines[open]!)) {
      if (open > i) i = open;
      continue;
    }
    const close = lines.findIndex((line, n) => n > open && line.startsWith(`${indent}}`));
    if (close < 0) return found;
    const head = lines
      .slice(i, open + 1)
      .map((line) => line.trim())
      .join(' ')
      .replace(/^template <[^{]*?> (?=[\w:])/, '');
    if (container.test(head)) {
      const inner =
        head.startsWith('namespace') || head.startsWith('extern') ? indent : `${indent}    `;
      found.push(...functionsIn(lines.slice(open + 1, close), offset + open + 1, inner));
    } else if (/^[^=]*\(/.test(head)) {
      found.push({ head, line: offset + i + 1, lines: close - i + 1 });
    }
    i = close;
  }
  return found;
}

/** Files of more than `limit` lines. */
export function longFiles(files: readonly SourceFile[], limit: number): string[] {
  return files.flatMap(({ path, text }) => {
    const lines = text.replace(/\n$/, '').split('\n').length;
    return lines > limit ? [`${path}: ${lines} lines, more than ${limit}`] : [];
  });
}

/**
 * Functions of more than `limit` lines that `allowed` does not name ('<file>: <name>'), and entries of `allowed` that
 * name no such function any more.
 */
export function longFunctions(
  files: readonly SourceFile[],
  limit: number,
  allowed: readonly string[],
): string[] {
  const long = files.flatMap(({ path, text }) =>
    functionsOf(text)
      .filter(({ lines }) => lines > limit)
      .map(({ head, line, lines }) => ({
        key: `${path}: ${/([\w:~]+)\(/.exec(head)?.[1] ?? head}`,
        text: `${path}:${line}: ${lines} lines, more than ${limit}: ${head}`,
      })),
  );
  return [
    ...long.filter(({ key }) => !allowed.includes(key)).map(({ text }) => text),
    ...allowed
      .filter((key) => !long.some((each) => each.key === key))
      .map((key) => `${key} is short enough now: remove it from the list`),
  ];
}
