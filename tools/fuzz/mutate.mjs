import { seededRandom } from '../../dist/random.js';

/** Seeded choices for one case. */
export class Choices {
  #random;

  constructor(seed) {
    this.#random = seededRandom(seed);
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit) {
    return Math.floor(this.#random() * limit);
  }

  of(list) {
    return list[this.below(list.length)];
  }

  chance(probability) {
    return this.#random() < probability;
  }
}

/** Lengths and counts that break readers. */
const INTEGERS = [
  0n,
  1n,
  -1n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n,
  2n ** 40n,
  2n ** 62n,
  2n ** 63n - 1n,
];

/** Changes bytes: single ones, whole integers, and pieces that are removed, repeated or moved. */
export function mutateBytes(source, choices, { within = source.length, keepLength = false } = {}) {
  let bytes = Buffer.from(source);
  const rounds = 1 + choices.below(choices.chance(0.2) ? 24 : 2);
  for (let round = 0; round < rounds; round++) {
    const limit = Math.min(within, bytes.length);
    if (limit === 0) break;
    const at = choices.below(limit);
    const count = Math.min(1 + choices.below(choices.chance(0.2) ? 4096 : 16), limit - at);
    switch (choices.below(keepLength ? 3 : 7)) {
      case 0:
        bytes[at] ^= 1 << choices.below(8);
        break;
      case 1:
        bytes[at] = choices.of([0, 1, 0x7f, 0x80, 0xff, 0x22, 0x5c, 0x7b, 0x5d, 0x0a, 0x2c]);
        break;
      case 2: {
        const width = choices.of([4, 8]);
        if (at + width > bytes.length) break;
        const value = choices.of(INTEGERS);
        if (width === 8) bytes.writeBigInt64LE(value, at);
        else bytes.writeInt32LE(Number(BigInt.asIntN(32, value)), at);
        break;
      }
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + count)]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at + count), bytes.subarray(at)]);
        break;
      case 5:
        bytes = bytes.subarray(0, at);
        break;
      default: {
        const piece = Buffer.from(bytes.subarray(at, at + count));
        piece.copy(bytes, choices.below(Math.max(1, limit - piece.length)));
      }
    }
  }
  return bytes;
}

/** Changes a text by its characters, and by fragments of its language. */
export function mutateText(source, choices, fragments) {
  let text = source;
  for (let round = 1 + choices.below(2); round > 0; round--) {
    const at = choices.below(text.length + 1);
    const end = Math.min(text.length, at + 1 + choices.below(choices.chance(0.2) ? 400 : 12));
    switch (choices.below(6)) {
      case 0:
        text = text.slice(0, at) + text.slice(end);
        break;
      case 1:
        text = text.slice(0, end) + text.slice(at);
        break;
      case 2: {
        const to = choices.below(text.length + 1);
        text = text.slice(0, to) + text.slice(at, end) + text.slice(to);
        break;
      }
      default: {
        // half the time between two tags, where a fragment is valid
        const tag = choices.chance(0.5) ? text.indexOf('}', at) + 1 : at;
        const place = text[tag] === '}' ? tag + 1 : tag;
        text = text.slice(0, place) + choices.of(fragments) + text.slice(place);
      }
    }
  }
  return text;
}

const nested = (depth) => {
  let value = [];
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { messages: value };
  return value;
};

const VALUES = [
  ...[null, true, false, 0, -1, 1.5, 1e308, 2 ** 53, '', ' ', '0', 'auto', 'x'.repeat(10_000)],
  ...['\ud800', '\u0000', '\x1b[31m', '<|im_end|>', '{{', '{%', '../..', 'null', '[', '{"a":1}'],
  ...[[], {}, [null], [[]], [{}], { role: 'assistant' }, { type: 'text', text: 'x' }],
];

/** Replaces, removes, renames, repeats and nests values of JSON. */
export function mutateJson(source, choices) {
  let root = structuredClone(source);
  for (let round = 1 + choices.below(3); round > 0; round--) {
    const places = placesIn(root);
    if (places.length === 0) break;
    const { parent, key } = choices.of(places);
    switch (choices.below(6)) {
      case 0:
      case 1:
        parent[key] = structuredClone(choices.of(VALUES));
        break;
      case 2:
        if (Array.isArray(parent)) parent.splice(key, 1);
        else delete parent[key];
        break;
      case 3:
        if (Array.isArray(parent)) parent.push(structuredClone(parent[key]));
        else
          define(
            parent,
            choices.of(['__proto__', 'constructor', 'tokens', 'text', '']),
            parent[key],
          );
        break;
      case 4:
        parent[key] = [parent[key]];
        break;
      default: {
        const other = choices.of(places);
        const value = other.parent?.[other.key];
        parent[key] = structuredClone(value === undefined ? null : value);
      }
    }
    if (choices.chance(0.02)) root = structuredClone(choices.of(VALUES));
  }
  // last, because such a value cannot be copied
  const places = choices.chance(0.02) ? placesIn(root) : [];
  if (places.length > 0) {
    const { parent, key } = choices.of(places);
    parent[key] = nested(choices.of([1000, 20_000]));
  }
  return root;
}

const define = (object, key, value) =>
  Object.defineProperty(object, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });

/** Every value inside a value, by its parent. */
function placesIn(root) {
  const places = [];
  const open = [root];
  while (open.length > 0 && places.length < 2000) {
    const parent = open.pop();
    if (typeof parent !== 'object' || parent === null) continue;
    for (const key of Object.keys(parent)) {
      places.push({ parent, key: Array.isArray(parent) ? Number(key) : key });
      open.push(parent[key]);
    }
  }
  return places;
}
