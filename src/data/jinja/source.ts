import { JinjaError } from './values.js';

/** What opens a tag, with its sign for the white space before it. */
const OPEN = /\{([%{#])([-+]?)/g;
const ENDS = {
  '%': /([-+]?)%\}/y,
  '{': /(-?)\}\}/y,
  '#': /([-+]?)#\}/g,
} as const;
const LITERAL = /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/sy;
/** A name, or a number that a JavaScript number or the tokenizer may not read. */
const WORD = /[\p{L}_][\p{L}\p{N}_]*|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?/uy;
const RAW_END = /\{%([-+]?)\s*endraw\s*([-+]?)%\}/g;

type Kind = keyof typeof ENDS;

/**
 * Rewrites a template so that the library's tokenizer reads it as jinja2 does with trim_blocks and lstrip_blocks: white
 * space around tags is already removed, comments and raw blocks are resolved, and the escapes of literals are decoded.
 *
 * Differences of the tokenizer (@huggingface/jinja 0.5.11) that this covers: `\r\n`, `{%+` and `+%}`, `{% raw %}`, `{-` and
 * `-}` in texts, `%}` inside literals, escapes such as `\/` and `\d`, and sets inside `{% generation %}`, which stay there.
 */
export function prepareSource(template: string): string {
  const source = template.replace(/\r\n?/g, '\n').replace(/\n$/, '');
  let output = '';
  let at = 0;
  /** What the tag before the text does to white space after it. */
  let after: 'keep' | 'line' | 'all' = 'keep';
  let lineStart = true;
  while (at < source.length) {
    OPEN.lastIndex = at;
    const open = OPEN.exec(source);
    let text = source.slice(at, open?.index ?? source.length);
    if (after === 'all') {
      const trimmed = text.trimStart();
      if (trimmed.length < text.length) lineStart = text[text.length - trimmed.length - 1] === '\n';
      text = trimmed;
    } else if (after === 'line' && text.startsWith('\n')) {
      text = text.slice(1);
      lineStart = true;
    }
    if (open === null) return `${output + text}\n`;
    output += asText(before(text, open[1] as Kind, open[2]!, lineStart));
    const tag = readTag(source, open);
    output += tag.output;
    at = tag.end;
    after = tag.after;
    lineStart = false;
  }
  // the tokenizer drops the last line end
  return `${output}\n`;
}

function before(text: string, kind: Kind, sign: string, lineStart: boolean): string {
  if (sign === '-') return text.trimEnd();
  if (sign === '+' || kind === '{') return text;
  const line = text.lastIndexOf('\n') + 1;
  return (line > 0 || lineStart) && text.slice(line).trim() === '' ? text.slice(0, line) : text;
}

/** A brace at the end of a text must not open a tag together with what follows. */
const asText = (text: string): string =>
  text.endsWith('{') ? `${text.slice(0, -1)}{{ "{" }}` : text;

interface Tag {
  output: string;
  end: number;
  after: 'keep' | 'line' | 'all';
}

const afterTag = (sign: string, kind: Kind): Tag['after'] =>
  sign === '-' ? 'all' : sign === '+' || kind === '{' ? 'keep' : 'line';

function readTag(source: string, open: RegExpExecArray): Tag {
  const kind = open[1] as Kind;
  const start = open.index + open[0].length;
  if (kind === '#') {
    ENDS['#'].lastIndex = start;
    const end = ENDS['#'].exec(source);
    if (end === null) throw unclosed(source, open, 'comment');
    return { output: '', end: end.index + end[0].length, after: afterTag(end[1]!, kind) };
  }
  const { code, sign, end } = readCode(source, start, kind, open);
  if (kind === '%' && code.trim() === 'raw') return readRaw(source, end, sign, open);
  const body = kind === '%' ? withGeneration(code) : code;
  const output = kind === '%' ? `{% ${body} %}` : `{{ ${body} }}`;
  return { output, end, after: afterTag(sign, kind) };
}

/** What generation blocks call. */
export const GENERATION = '__generation__';

/** Generation blocks become call blocks, which have their own scope, as in Transformers. */
function withGeneration(code: string): string {
  const name = code.trim();
  if (name === 'generation') return `call ${GENERATION}()`;
  return name === 'endgeneration' ? 'endcall' : code;
}

function readCode(source: string, start: number, kind: Kind, open: RegExpExecArray) {
  let [at, depth, code] = [start, 0, ''];
  while (at < source.length) {
    if (depth === 0) {
      ENDS[kind].lastIndex = at;
      const end = ENDS[kind].exec(source);
      if (end !== null) return { code, sign: end[1]!, end: at + end[0].length };
    }
    const character = source[at]!;
    if (character === '"' || character === "'") {
      LITERAL.lastIndex = at;
      const literal = LITERAL.exec(source)?.[0];
      if (literal === undefined) throw unclosed(source, open, 'text in quotes');
      code += quoted(decoded(literal.slice(1, -1)));
      at += literal.length;
      continue;
    }
    WORD.lastIndex = at;
    const word = WORD.exec(source)?.[0];
    if (word !== undefined) {
      code += /^\d/.test(word) ? number(word) : word;
      at += word.length;
      continue;
    }
    if ('([{'.includes(character)) depth += 1;
    else if (')]}'.includes(character)) depth -= 1;
    code += character;
    at += 1;
  }
  throw unclosed(source, open, 'tag');
}

function readRaw(source: string, start: number, sign: string, open: RegExpExecArray): Tag {
  RAW_END.lastIndex = start;
  const end = RAW_END.exec(source);
  if (end === null) throw unclosed(source, open, 'raw block');
  const text = source.slice(start, end.index);
  const kept = before(sign === '-' ? text.trimStart() : text, '%', end[1]!, false);
  return {
    output: kept === '' ? '' : `{{ ${quoted(kept)} }}`,
    end: end.index + end[0].length,
    after: afterTag(end[2]!, '%'),
  };
}

const SIMPLE: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\x07',
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

/** Decodes the escapes of Python; a backslash before another character stays. */
const decoded = (literal: string): string =>
  literal.replace(
    /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([\s\S]))/g,
    (match, x?: string, u?: string, long?: string, octal?: string, simple?: string) => {
      const hex = x ?? u ?? long;
      if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
      if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
      return SIMPLE[simple!] ?? match;
    },
  );

/** Numbers with an exponent, and large integers, are read by a filter. */
function number(literal: string): string {
  const digits = literal.replaceAll('_', '');
  if (/[eE]/.test(digits)) return `("${digits}"|float)`;
  return /^\d{16,}$/.test(digits) ? `("${digits}"|int)` : digits;
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;

function unclosed(source: string, open: RegExpExecArray, what: string): JinjaError {
  const line = source.slice(0, open.index).split('\n').length;
  return new JinjaError(`line ${line} of the template: the ${what} does not end`);
}
