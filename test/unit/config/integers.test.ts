import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { finetuneSchema } from '../../../src/config/finetune.js';
import { parseConfig } from '../../../src/config/parse.js';

const folder = new URL('../../../src/config/', import.meta.url);

interface JsonSchema {
  type?: string;
  minimum?: number;
  maximum?: number;
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
}

/** Paths of the integers that may lie outside of -2^31 to 2^31 - 1. */
function wideIntegers(schema: JsonSchema, path: string): string[] {
  const { type, minimum = -Infinity, maximum = Infinity } = schema;
  const isWide = type === 'integer' && (minimum < -(2 ** 31) || maximum > 2 ** 31 - 1);
  const inside: [JsonSchema, string][] = Object.entries(schema.properties ?? {}).map(
    ([name, field]) => [field, `${path}.${name}`],
  );
  if (schema.items !== undefined) inside.push([schema.items, path]);
  for (const branch of [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]) {
    inside.push([branch, path]);
  }
  return [...(isWide ? [path] : []), ...inside.flatMap((each) => wideIntegers(...each))];
}

/** Seeds, and numbers that native code does not get. */
const has64Bits = /\.seed$|\.(memory|file|disk|output)Bytes$|^chinchillaSchema\./;

describe('integers of options', () => {
  it('fit the 32 bits that native code has for all but seeds', async () => {
    const wide: string[] = [];
    let schemas = 0;
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.ts'))) {
      const exported: Record<string, unknown> = await import(new URL(file, folder).href);
      for (const [name, schema] of Object.entries(exported)) {
        if (!(schema instanceof z.ZodType)) continue;
        schemas += 1;
        const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
        wide.push(...wideIntegers(json as JsonSchema, name));
      }
    }
    expect(schemas).toBeGreaterThan(8);
    expect(wide.filter((path) => !has64Bits.test(path))).toEqual([]);
  });

  it('are refused where they do not fit', () => {
    const given = { model: 'm.gguf', dataset: 'd.jsonl', output: 'o.gguf' };
    expect(() => parseConfig(finetuneSchema, { ...given, microBatchTokens: 2 ** 31 })).toThrow(
      'microBatchTokens: expected a number of at most 2147483647 but received 2147483648',
    );
    expect(parseConfig(finetuneSchema, { ...given, microBatchTokens: 2 ** 31 - 1 })).toMatchObject({
      microBatchTokens: 2 ** 31 - 1,
    });
  });
});
