import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
// @ts-expect-error: a script in plain JavaScript
import * as table from '../../../tools/architectures/table.mjs';

// docs/architectures.md is generated from docs/architectures.json. After a change of either, or of the table: npm run docs
const file = (name: string) => new URL(`../../../docs/${name}`, import.meta.url);
const { nameAndKind, renderArchitectures } = table as {
  nameAndKind: (name: string, names: string[]) => [string, string];
  renderArchitectures: (rows: object[]) => string;
};
const rows = JSON.parse(readFileSync(file('architectures.json'), 'utf8'));

describe('docs/architectures.md', () => {
  it('is the table of docs/architectures.json', async () => {
    await expect(renderArchitectures(rows)).toMatchFileSnapshot(
      fileURLToPath(file('architectures.md')),
    );
  });

  it('recognizes the mixture-of-experts models', () => {
    const names = ['llama', 'llama-moe', 'exaone-moe-moe', 'qwen3'];
    expect(nameAndKind('llama-moe', names)).toEqual(['llama', 'experts']);
    expect(nameAndKind('exaone-moe-moe', names)).toEqual(['exaone-moe', 'experts']);
    expect(nameAndKind('qwen3', names)).toEqual(['qwen3', 'dense']);
  });

  it('names problems', () => {
    const row = { ...rows[0], logits: false, gradients: false, problem: 'UNSUPPORTED_OP: …' };
    const text = renderArchitectures([row]);
    expect(text).toContain('0 of 1 models train');
    expect(text).toContain('UNSUPPORTED_OP');
  });
});
