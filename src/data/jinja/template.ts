import { define, integer } from './callables.js';
import { Scope } from './expressions.js';
import { renderBlock } from './interpreter.js';
import { toValue } from './json.js';
import { strftime } from './strftime.js';
import { parseTemplate, type Statement, TUPLE } from './syntax.js';
import {
  type Callable,
  iterate,
  JinjaError,
  keyOf,
  Namespace,
  RaisedByTemplate,
  Tuple,
  textOf,
  type Value,
} from './values.js';

/** Longest range, as in jinja2's sandbox. */
const MAX_RANGE = 100_000;

/**
 * A chat template, rendered as Hugging Face's Transformers does it with Python's jinja2: with trim_blocks, lstrip_blocks,
 * loop controls, generation blocks, `tojson`, `raise_exception` and `strftime_now`.
 *
 * The library @huggingface/jinja parses the template. Its interpreter is not used, because its values are JavaScript's: it
 * drops the arguments of strip(), prints 1.0 as 1 and None as nothing, lets `dict.items` find a key, keeps variables from one
 * iteration of a loop to the next, and does not iterate over an undefined value, among others. The cases that test these
 * differences are in tools/chat-templates/snippets.json.
 *
 * What the library cannot parse is an error: `include`, `with`, `do`, `recursive` loops. Known differences, which none of
 * llama.cpp's templates meets: `a < b < c` compares the result of `a < b` with c, `1 + 2 ~ 'x'` adds first, and a generator
 * raises its errors at once instead of when it is read.
 */
export class JinjaTemplate {
  readonly #body: Statement[];

  /** @throws Error if the syntax is wrong. */
  constructor(source: string) {
    this.#body = parseTemplate(source);
  }

  /**
   * @param now what strftime_now() tells.
   * @throws RaisedByTemplate for raise_exception(), JinjaError for what Python refuses.
   */
  render(variables: Readonly<Record<string, unknown>>, now = new Date()): string {
    const globals = new Scope();
    for (const [name, value] of Object.entries(globalFunctions(now))) globals.set(name, value);
    const scope = new Scope(globals);
    for (const [name, value] of Object.entries(variables)) {
      if (value !== undefined) scope.set(name, toValue(value));
    }
    return renderBlock(this.#body, new Scope(scope));
  }
}

function globalFunctions(now: Date): Record<string, Callable> {
  return {
    range: define('range', ['start', 'stop', 'step'], range, 1),
    dict: ([source = new Map()], keywords) => new Map([...entriesOf(source), ...keywords]),
    namespace: ([source = new Map()], keywords) =>
      new Namespace(
        new Map(
          [...entriesOf(source)]
            .map(([key, value]) => [textOf(key), value] as const)
            .concat([...keywords]),
        ),
      ),
    joiner: define('joiner', ['sep'], (separator = ', ') => {
      let used = false;
      return () => {
        const text = used ? separator : '';
        used = true;
        return text;
      };
    }),
    raise_exception: define('raise_exception', ['message'], (message = '') => {
      throw new RaisedByTemplate(textOf(message));
    }),
    strftime_now: define('strftime_now', ['format'], (format) => strftime(now, textOf(format!)), 1),
    __generation__: (_, keywords) => (keywords.get('caller') as Callable)([], new Map()),
    [TUPLE]: (args) => Tuple.ofItems(args),
  };
}

function range(...args: (Value | undefined)[]): Value {
  const [first, second, third] = args.map((value) =>
    value === undefined ? undefined : integer(value),
  );
  const [start, stop] = second === undefined ? [0, first!] : [first!, second];
  const step = third ?? 1;
  if (step === 0) throw new JinjaError('range() arg 3 must not be zero');
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (length > MAX_RANGE) {
    throw new JinjaError(`Range too big. The sandbox blocks ranges larger than ${MAX_RANGE}.`);
  }
  return Array.from({ length }, (_, i) => BigInt(start + i * step));
}

function entriesOf(source: Value): Iterable<[Value, Value]> {
  if (source instanceof Map) return source;
  return iterate(source).map((pair) => {
    const [key, value, ...more] = iterate(pair);
    if (key === undefined || value === undefined || more.length > 0) {
      throw new JinjaError('expected pairs of key and value');
    }
    return [keyOf(key), value];
  });
}
