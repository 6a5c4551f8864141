import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  describeOptions,
  finetuneSchema,
  generateSchema,
  loadModelSchema,
} from '../../../src/index.js';
import { root } from '../../layout/source-files.js';

const docs = (name: string) => readFileSync(join(root, 'docs', `${name}.md`), 'utf8');
const inlineCode = (page: string): string[] =>
  [...page.replaceAll(/```[\s\S]*?```/g, '').matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!);

const options = [finetuneSchema, generateSchema, loadModelSchema].flatMap((schema) =>
  describeOptions(schema).map(({ path }) => path),
);
const groups = new Set(
  options.filter((name) => name.includes('.')).map((name) => name.split('.')[0]!),
);
const leaves = new Set(options.map((name) => name.split('.').at(-1)!));

/** Fields of step events that the guides name. */
const fields = new Set(['gradientNorm', 'targetTokens']);

/** 'lora.rank' and the like, the key of `rank: 8`, and words in camel case. */
function wrongOptions(page: string): string[] {
  return inlineCode(page).filter((code) => {
    const dotted = /^(\w+)\.\w+(?=$|:)/.exec(code);
    if (dotted !== null) return groups.has(dotted[1]!) && !options.includes(dotted[0]);
    const word = (/^(\w+): /.exec(code) ?? /^([a-z]+[A-Z]\w*)$/.exec(code))?.[1];
    return word !== undefined && ![leaves, groups, fields].some((set) => set.has(word));
  });
}

const wrongCodes = (page: string, known: ReadonlySet<string>): string[] =>
  inlineCode(page).filter(
    (code) => /^[A-Z]+(_[A-Z]+)+$/.test(code) && !code.startsWith('LLAMATUNE_') && !known.has(code),
  );

describe('names in the guides', () => {
  const codes = new Set(inlineCode(docs('errors')));

  it.each(['concepts', 'hyperparameters', 'troubleshooting'])('docs/%s.md', (name) => {
    expect(wrongOptions(docs(name))).toEqual([]);
    expect(wrongCodes(docs(name), codes)).toEqual([]);
  });

  it('finds a wrong option or code', () => {
    expect(
      wrongOptions(
        '`lora.ranks` `lora.rank` `ranks: 8` `rank: 8` `model.gguf` `batchSizes` `batchSize`',
      ),
    ).toEqual(['lora.ranks', 'ranks: 8', 'batchSizes']);
    expect(wrongCodes('`NO_SUCH_CODE` `OUT_OF_MEMORY`', codes)).toEqual(['NO_SUCH_CODE']);
  });
});
