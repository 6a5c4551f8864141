import { parse, tokenize } from '@huggingface/jinja';
import { GENERATION, prepareSource } from './source.js';

/** Nodes of the library's parser, whose types it does not export. */
export type Expression =
  | { type: 'IntegerLiteral' | 'FloatLiteral'; value: number }
  | { type: 'StringLiteral' | 'Identifier'; value: string }
  | { type: 'ArrayLiteral' | 'TupleLiteral'; value: Expression[] }
  | { type: 'ObjectLiteral'; value: Map<Expression, Expression> }
  | { type: 'MemberExpression'; object: Expression; property: Expression; computed: boolean }
  | { type: 'SliceExpression'; start?: Expression; stop?: Expression; step?: Expression }
  | Call
  | { type: 'BinaryExpression'; operator: { value: string }; left: Expression; right: Expression }
  | { type: 'UnaryExpression'; operator: { value: string }; argument: Expression }
  | { type: 'FilterExpression'; operand: Expression; filter: Filter }
  | Select
  | { type: 'Ternary'; condition: Expression; trueExpr: Expression; falseExpr: Expression }
  | { type: 'KeywordArgumentExpression'; key: Identifier; value: Expression }
  | { type: 'SpreadExpression' | 'KeywordSpreadExpression'; argument: Expression };

export interface Identifier {
  type: 'Identifier';
  value: string;
}

export interface Call {
  type: 'CallExpression';
  callee: Expression;
  args: Expression[];
}

/** `value if condition` without `else`, and the condition of a loop. */
export interface Select {
  type: 'SelectExpression';
  lhs: Expression;
  test: Expression;
}

export type Filter = Identifier | Call;

export interface For {
  type: 'For';
  loopvar: Expression;
  iterable: Expression;
  body: Statement[];
  defaultBlock: Statement[];
}

export interface Macro {
  type: 'Macro';
  name: Identifier;
  args: Expression[];
  body: Statement[];
}

export interface CallBlock {
  type: 'CallStatement';
  call: Call;
  callerArgs: Expression[] | null;
  body: Statement[];
}

export interface Set {
  type: 'Set';
  assignee: Expression;
  value: Expression | null;
  body: Statement[];
}

export type Statement =
  | Expression
  | For
  | Macro
  | CallBlock
  | Set
  | { type: 'If'; test: Expression; body: Statement[]; alternate: Statement[] }
  | { type: 'FilterStatement'; filter: Filter; body: Statement[] }
  | { type: 'Break' | 'Continue' | 'Comment' };

type Token = ReturnType<typeof tokenize>[number];

/** The name under which an empty tuple, or one with a comma before its end, is called; no variable can have it. */
export const TUPLE = '(tuple)';

/** Parses a template. @throws Error if its syntax is wrong. */
export function parseTemplate(template: string): Statement[] {
  const tokens = tokenize(prepareSource(template));
  const program = parse(withTuples(withTests(tokens)));
  return program.body as unknown as Statement[];
}

/** Whether a call block is a generation block, as prepareSource() writes it. */
export const isGeneration = ({ call: { callee } }: CallBlock): boolean =>
  callee.type === 'Identifier' && callee.value === GENERATION;

/** Whether a template has generation blocks whose place in the rendered text is known. */
export const hasGeneration = (body: readonly Statement[]): boolean =>
  body.some((statement) => {
    switch (statement.type) {
      case 'If':
        return hasGeneration(statement.body) || hasGeneration(statement.alternate);
      case 'For':
        return hasGeneration(statement.body) || hasGeneration(statement.defaultBlock);
      default:
        return statement.type === 'CallStatement' && isGeneration(statement);
    }
  });

const token = (type: Token['type'], value: string): Token => ({ type, value });
const KEYWORDS = new Set(['and', 'or', 'not', 'in', 'is', 'if', 'else']);
const isKeyword = (each: Token | undefined, ...names: string[]) =>
  each?.type === 'Identifier' && names.includes(each.value);
const isMember = (tokens: readonly Token[], at: number) => tokens[at - 1]?.type === 'Dot';

/**
 * Turns each test into a filter of the name 'is NAME' or 'is not NAME', because the parser accepts tests only without
 * arguments: `x is divisibleby 3` becomes `x|is divisibleby(3)`. In jinja2 the two have the same precedence.
 */
function withTests(tokens: readonly Token[]): Token[] {
  const result: Token[] = [];
  for (let at = 0; at < tokens.length; at++) {
    if (!isKeyword(tokens[at], 'is') || isMember(tokens, at)) {
      result.push(tokens[at]!);
      continue;
    }
    const negated = isKeyword(tokens[at + 1], 'not');
    at += negated ? 2 : 1;
    const name = tokens[at]?.value ?? '';
    result.push(token('Pipe', '|'), token('Identifier', `is ${negated ? 'not ' : ''}${name}`));
    const end = endOfArgument(tokens, at + 1);
    if (end > at + 1) {
      const argument = withTests(tokens.slice(at + 1, end));
      result.push(token('OpenParen', '('), ...argument, token('CloseParen', ')'));
      at = end - 1;
    }
  }
  return result;
}

/** End of an argument without parentheses: a literal, a list, or a name with its members. */
function endOfArgument(tokens: readonly Token[], start: number): number {
  const first = tokens[start];
  if (first === undefined) return start;
  if (first.type === 'NumericLiteral' || first.type === 'StringLiteral') return start + 1;
  if (first.type === 'OpenSquareBracket' || first.type === 'OpenCurlyBracket') {
    return endOfBrackets(tokens, start);
  }
  if (first.type !== 'Identifier' || KEYWORDS.has(first.value)) return start;
  let end = start + 1;
  for (;;) {
    if (tokens[end]?.type === 'Dot') end += 2;
    else if (tokens[end]?.type === 'OpenSquareBracket') end = endOfBrackets(tokens, end);
    else return end;
  }
}

const isOpen = ({ type }: Token) => /^Open(Paren|SquareBracket|CurlyBracket)$/.test(type);
const isClose = ({ type }: Token) => /^Close(Paren|SquareBracket|CurlyBracket)$/.test(type);

function endOfBrackets(tokens: readonly Token[], start: number): number {
  let depth = 0;
  for (let at = start; at < tokens.length; at++) {
    if (isOpen(tokens[at]!)) depth += 1;
    else if (isClose(tokens[at]!)) depth -= 1;
    if (depth === 0) return at + 1;
  }
  return tokens.length;
}

/** Turns `()` and `(a,)`, which the parser refuses, into calls. */
function withTuples(tokens: readonly Token[]): Token[] {
  const result: Token[] = [];
  for (const [at, each] of tokens.entries()) {
    if (each.type === 'OpenParen' && !isCall(tokens, at)) {
      const last = endOfBrackets(tokens, at) - 2;
      if (last === at || tokens[last]?.type === 'Comma') result.push(token('Identifier', TUPLE));
    }
    result.push(each);
  }
  return result;
}

function isCall(tokens: readonly Token[], at: number): boolean {
  const previous = tokens[at - 1];
  if (previous === undefined) return false;
  if (previous.type === 'CloseParen' || previous.type === 'CloseSquareBracket') return true;
  return (
    previous.type === 'Identifier' && (!KEYWORDS.has(previous.value) || isMember(tokens, at - 1))
  );
}
