// Trains the tokenizer on the generated data; writes { pre, tokens, tokenTypes, merges }.
//   node tools/base-model/train-tokenizer.mjs [--data .cache/base-model] [--size 2304] [--output …/tokenizer.json]

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { trainBpe } from './bpe.mjs';
import { specialTokens } from './chat-template.mjs';

/** All texts of a dataset file: message contents and continued texts. */
export function textsOf(jsonl) {
  const texts = [];
  for (const line of jsonl.split('\n')) {
    if (line.trim() === '') continue;
    const row = JSON.parse(line);
    if (row.prompt !== undefined) texts.push(row.prompt + row.completion);
    for (const { role, content } of row.messages ?? []) texts.push(`${role}\n`, content);
  }
  return texts;
}

/** Trains on the files and writes the tokenizer; returns it. */
export function trainTokenizer({ files, size, output }) {
  const texts = files.flatMap((file) => textsOf(readFileSync(file, 'utf8')));
  const tokenizer = trainBpe(texts, { vocabularySize: size, specialTokens });
  writeFileSync(output, `${JSON.stringify(tokenizer)}\n`);
  return tokenizer;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      data: { type: 'string', default: '.cache/base-model' },
      size: { type: 'string', default: '2304' },
      output: { type: 'string' },
    },
  });
  const size = Number(values.size);
  if (!Number.isInteger(size) || size < 256 + specialTokens.length) {
    console.error(
      `expected a whole number of at least ${256 + specialTokens.length} for --size but received '${values.size}'`,
    );
    process.exit(2);
  }
  const output = values.output ?? join(values.data, 'tokenizer.json');
  const { tokens } = trainTokenizer({
    files: [join(values.data, 'train.jsonl')],
    size,
    output,
  });
  console.log(`${output}: ${tokens.length} tokens`);
}
