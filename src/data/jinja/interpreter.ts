import { callValue, evaluate, evaluateArguments, filtered, Scope } from './expressions.js';
import { Output } from './output.js';
import {
  type CallBlock,
  type Expression,
  type For,
  type Identifier,
  isGeneration,
  type Set as SetStatement,
  type Statement,
} from './syntax.js';
import {
  type Callable,
  equals,
  isTrue,
  iterate,
  JinjaError,
  Namespace,
  Tuple,
  textOf,
  Undefined,
  type Value,
} from './values.js';

/** How a block ended: at its end, or early inside a loop. */
type Flow = 'break' | 'continue' | undefined;

/** Renders a block separately from what is around it. */
export function renderBlock(body: readonly Statement[], scope: Scope): Output {
  const output = new Output(scope.limits);
  runBlock(body, scope, output);
  return output;
}

const textOfBlock = (body: readonly Statement[], scope: Scope): string =>
  renderBlock(body, scope).text;

function runBlock(body: readonly Statement[], scope: Scope, output: Output): Flow {
  for (const statement of body) {
    scope.limits.countStatement();
    const flow = run(statement, scope, output);
    if (flow !== undefined) return flow;
  }
  return undefined;
}

function run(statement: Statement, scope: Scope, output: Output): Flow {
  switch (statement.type) {
    case 'Comment':
      return undefined;
    case 'Break':
      return 'break';
    case 'Continue':
      return 'continue';
    case 'If': {
      const isChosen = isTrue(evaluate(statement.test, scope));
      return runBlock(isChosen ? statement.body : statement.alternate, scope, output);
    }
    case 'For':
      return runLoop(statement, scope, output);
    case 'Set':
      return assign(statement, scope);
    case 'Macro': {
      const { name, args, body } = statement;
      scope.set(name.value, macro(`macro '${name.value}'`, args, body, scope));
      return undefined;
    }
    case 'CallStatement':
      if (isGeneration(statement)) {
        output.pushGenerated(textOfBlock(statement.body, new Scope(scope)));
      } else output.push(textOf(callBlock(statement, scope)));
      return undefined;
    case 'FilterStatement': {
      const text = textOfBlock(statement.body, new Scope(scope));
      output.push(textOf(filtered(text, statement.filter, scope)));
      return undefined;
    }
    default:
      output.push(textOf(evaluate(statement, scope)));
      return undefined;
  }
}

function runLoop(node: For, scope: Scope, output: Output): Flow {
  const items = loopItems(node, scope);
  if (items.length === 0) return runBlock(node.defaultBlock, new Scope(scope), output);
  let changed: Value | undefined;
  const change: Callable = (args) => {
    const value = Tuple.ofItems(args);
    if (changed !== undefined && equals(changed, value)) return false;
    changed = value;
    return true;
  };
  for (const [i, item] of items.entries()) {
    const inner = new Scope(scope);
    bind(node.loopvar, item, inner);
    inner.set('loop', loopVariable(items, i, change));
    if (runBlock(node.body, inner, output) === 'break') break;
  }
  return undefined;
}

function loopItems({ loopvar, iterable }: For, scope: Scope): Value[] {
  if (iterable.type !== 'SelectExpression') return iterate(evaluate(iterable, scope));
  return iterate(evaluate(iterable.lhs, scope)).filter((item) => {
    const inner = new Scope(scope);
    bind(loopvar, item, inner);
    return isTrue(evaluate(iterable.test, inner));
  });
}

function loopVariable(items: Value[], i: number, changed: Callable): Namespace {
  const outside = (which: string) => new Undefined(`there is no ${which} item`);
  return new Namespace(
    new Map<string, Value>([
      ['index', BigInt(i + 1)],
      ['index0', BigInt(i)],
      ['revindex', BigInt(items.length - i)],
      ['revindex0', BigInt(items.length - i - 1)],
      ['first', i === 0],
      ['last', i === items.length - 1],
      ['length', BigInt(items.length)],
      ['depth', 1n],
      ['depth0', 0n],
      ['previtem', i > 0 ? items[i - 1]! : outside('previous')],
      ['nextitem', i + 1 < items.length ? items[i + 1]! : outside('next')],
      ['cycle', (args) => cycled(args, i)],
      ['changed', changed],
    ]),
  );
}

function cycled(items: Value[], i: number): Value {
  if (items.length === 0) throw new JinjaError('no items for cycling given');
  return items[i % items.length]!;
}

/** Assigns a value to a name, or its items to the names of a tuple. */
function bind(target: Expression, value: Value, scope: Scope): void {
  if (target.type === 'Identifier') {
    scope.set(target.value, value);
  } else if (target.type === 'TupleLiteral') {
    const items = iterate(value);
    const [wanted, given] = [target.value.length, items.length];
    if (given < wanted) {
      throw new JinjaError(`not enough values to unpack (expected ${wanted}, got ${given})`);
    }
    if (given > wanted) throw new JinjaError(`too many values to unpack (expected ${wanted})`);
    for (const [i, each] of target.value.entries()) bind(each, items[i]!, scope);
  } else {
    throw new JinjaError('only a name can be assigned to');
  }
}

function assign({ assignee, value, body }: SetStatement, scope: Scope): undefined {
  const target = assignee.type === 'FilterExpression' ? assignee.operand : assignee;
  let assigned: Value =
    value === null ? textOfBlock(body, new Scope(scope)) : evaluate(value, scope);
  if (assignee.type === 'FilterExpression') assigned = filtered(assigned, assignee.filter, scope);
  if (target.type !== 'MemberExpression') {
    bind(target, assigned, scope);
    return;
  }
  const object = evaluate(target.object, scope);
  if (!(object instanceof Namespace) || target.property.type !== 'Identifier') {
    throw new JinjaError('cannot assign attribute on non-namespace object');
  }
  object.attributes.set(target.property.value, assigned);
}

/** A macro, or the body of a call block. It sees the variables of the place where it is written. */
function macro(
  name: string,
  parameters: readonly Expression[],
  body: readonly Statement[],
  around: Scope,
): Callable {
  return (args, given) => {
    const scope = new Scope(around);
    const keywords = new Map(given);
    const caller = keywords.get('caller');
    keywords.delete('caller');
    scope.set('caller', caller ?? new Undefined('No caller defined'));
    for (const [i, parameter] of parameters.entries()) {
      const key = parameterName(parameter);
      if (args[i] !== undefined && keywords.has(key)) {
        throw new JinjaError(`${name} got multiple values for argument '${key}'`);
      }
      const value = args[i] === undefined ? keywords.get(key) : args[i];
      keywords.delete(key);
      scope.set(key, value === undefined ? defaultOf(parameter, scope) : value);
    }
    if (keywords.size > 0 && !mentions(body, 'kwargs')) {
      throw new JinjaError(`${name} takes no keyword argument '${[...keywords.keys()][0]}'`);
    }
    if (args.length > parameters.length && !mentions(body, 'varargs')) {
      throw new JinjaError(`${name} takes not more than ${parameters.length} argument(s)`);
    }
    scope.set('kwargs', new Map(keywords));
    scope.set('varargs', Tuple.ofItems(args.slice(parameters.length)));
    return textOfBlock(body, scope);
  };
}

const parameterName = (parameter: Expression): string =>
  parameter.type === 'KeywordArgumentExpression'
    ? parameter.key.value
    : (parameter as Identifier).value;

function defaultOf(parameter: Expression, scope: Scope): Value {
  return parameter.type === 'KeywordArgumentExpression'
    ? evaluate(parameter.value, scope)
    : new Undefined(`parameter '${parameterName(parameter)}' was not provided`);
}

/** Whether a name occurs in a part of the syntax tree. */
function mentions(node: unknown, name: string): boolean {
  if (typeof node !== 'object' || node === null) return false;
  const { type, value } = node as { type?: unknown; value?: unknown };
  if (type === 'Identifier' && value === name) return true;
  const parts = node instanceof Map ? [...node].flat() : Object.values(node);
  return parts.some((part) => mentions(part, name));
}

function callBlock({ call, callerArgs, body }: CallBlock, scope: Scope): Value {
  const { args, keywords } = evaluateArguments(call.args, scope);
  keywords.set('caller', macro('the call block', callerArgs ?? [], body, scope));
  return callValue(evaluate(call.callee, scope), args, keywords);
}
