import { getAttribute, getItem, slice } from './attributes.js';
import { applyFilter } from './filters.js';
import { RenderLimits } from './limits.js';
import { operate, signed } from './operators.js';
import type { Call, Expression, Filter, Identifier } from './syntax.js';
import { runTest } from './tests.js';
import {
  type Callable,
  defined,
  isTrue,
  iterate,
  JinjaError,
  keyOf,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
} from './values.js';

/** Variables of a block; a name that it does not have is looked up in the blocks around it. */
export class Scope {
  readonly #variables = new Map<string, Value>();
  /** What a rendering has used of its limits. */
  readonly limits: RenderLimits;

  constructor(readonly parent?: Scope) {
    this.limits = parent?.limits ?? new RenderLimits();
  }

  set(name: string, value: Value): void {
    this.#variables.set(name, value);
  }

  get(name: string): Value | undefined {
    const value = this.#variables.get(name);
    return value === undefined ? this.parent?.get(name) : value;
  }
}

const CONSTANTS = new Map<string, Value>([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
]);

export function callValue(callee: Value, args: Value[], keywords: Map<string, Value>): Value {
  if (typeof defined(callee) !== 'function') {
    throw new JinjaError(`'${typeName(callee)}' object is not callable`);
  }
  return (callee as Callable)(args, keywords);
}

export function evaluateArguments(nodes: readonly Expression[], scope: Scope) {
  const args: Value[] = [];
  const keywords = new Map<string, Value>();
  for (const node of nodes) {
    if (node.type === 'KeywordArgumentExpression') {
      keywords.set(node.key.value, evaluate(node.value, scope));
    } else if (node.type === 'SpreadExpression') {
      args.push(...iterate(evaluate(node.argument, scope)));
    } else if (node.type === 'KeywordSpreadExpression') {
      const given = evaluate(node.argument, scope);
      if (!(given instanceof Map)) {
        throw new JinjaError(`argument after ** must be a mapping, not ${typeName(given)}`);
      }
      for (const [key, value] of given) keywords.set(textOf(key), value);
    } else {
      args.push(evaluate(node, scope));
    }
  }
  return { args, keywords };
}

/** Applies a filter, or a test written as one. */
export function filtered(value: Value, filter: Filter, scope: Scope): Value {
  const name = ((filter.type === 'Identifier' ? filter : filter.callee) as Identifier).value;
  const { args, keywords } = evaluateArguments(
    filter.type === 'Identifier' ? [] : filter.args,
    scope,
  );
  const test = /^is (not )?(.*)$/.exec(name);
  if (test === null) return applyFilter(name, value, args, keywords);
  return runTest(test[2]!, value, args) === (test[1] === undefined);
}

export function evaluate(node: Expression, scope: Scope): Value {
  switch (node.type) {
    case 'IntegerLiteral':
      return BigInt(node.value);
    case 'FloatLiteral':
    case 'StringLiteral':
      return node.value;
    case 'ArrayLiteral':
      return node.value.map((each) => evaluate(each, scope));
    case 'TupleLiteral':
      return Tuple.ofItems(node.value.map((each) => evaluate(each, scope)));
    case 'ObjectLiteral':
      return new Map(
        Array.from(node.value, ([key, value]) => [
          keyOf(evaluate(key, scope)),
          evaluate(value, scope),
        ]),
      );
    case 'Identifier':
      return lookUp(node.value, scope);
    case 'CallExpression':
      return evaluateCall(node, scope);
    case 'MemberExpression':
      return evaluateMember(node, scope);
    case 'UnaryExpression': {
      const value = evaluate(node.argument, scope);
      return node.operator.value === 'not' ? !isTrue(value) : signed(node.operator.value, value);
    }
    case 'BinaryExpression':
      return evaluateBinary(node, scope);
    case 'FilterExpression':
      return filtered(evaluate(node.operand, scope), node.filter, scope);
    case 'Ternary': {
      const isChosen = isTrue(evaluate(node.condition, scope));
      return evaluate(isChosen ? node.trueExpr : node.falseExpr, scope);
    }
    case 'SelectExpression':
      return isTrue(evaluate(node.test, scope))
        ? evaluate(node.lhs, scope)
        : new Undefined('the inline if-expression is false and has no else');
    default:
      throw new JinjaError(`cannot evaluate ${node.type}`);
  }
}

function lookUp(name: string, scope: Scope): Value {
  const constant = CONSTANTS.get(name);
  if (constant !== undefined) return constant;
  const value = scope.get(name);
  return value === undefined ? new Undefined(`'${name}' is undefined`) : value;
}

function evaluateCall({ callee, args: nodes }: Call, scope: Scope): Value {
  const value = evaluate(callee, scope);
  const { args, keywords } = evaluateArguments(nodes, scope);
  return callValue(value, args, keywords);
}

type Member = Extract<Expression, { type: 'MemberExpression' }>;

function evaluateMember({ object, property, computed }: Member, scope: Scope): Value {
  const value = evaluate(object, scope);
  if (property.type === 'SliceExpression') {
    const bound = (node?: Expression) => (node === undefined ? null : evaluate(node, scope));
    return slice(value, bound(property.start), bound(property.stop), bound(property.step));
  }
  if (!computed && property.type === 'Identifier') return getAttribute(value, property.value);
  return getItem(value, evaluate(property, scope));
}

type Binary = Extract<Expression, { type: 'BinaryExpression' }>;

function evaluateBinary({ operator, left, right }: Binary, scope: Scope): Value {
  const first = evaluate(left, scope);
  if (operator.value === 'and') return isTrue(first) ? evaluate(right, scope) : first;
  if (operator.value === 'or') return isTrue(first) ? first : evaluate(right, scope);
  return operate(operator.value, first, evaluate(right, scope));
}
