import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_PROMPT, DEFAULT_RUBRIC } from '../../src/judge/prompt.js';
import { llamatune, root } from './command-line.js';
import { exampleFolder, examplesOf, runExample } from './docs-examples.js';
import { tinyModel } from './tiny-model.js';

const { folder, remove } = exampleFolder('docs-judging');
const files: Record<string, string> = {};
const page = readFileSync(join(root, 'docs', 'judging.md'), 'utf8');

const lines = (name: string, rows: object[]) => {
  files[name] = join(folder, name);
  writeFileSync(files[name], rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
};

beforeAll(async () => {
  files['judge.gguf'] = await tinyModel('tiny-2048', { contextLength: 2048 });
  const answers = (system: string, outputs: string[]) =>
    outputs.map((output, index) => ({
      ...{ index, system, output, prompt: `Question ${index}?`, reference: `Right ${index}.` },
    }));
  lines('tuned.jsonl', answers('tuned', ['Right 0.', 'Right 1.']));
  lines('base.jsonl', answers('base', ['Wrong.', 'Wrong too.']));
  lines('known.jsonl', [
    { prompt: 'Question?', reference: 'Right.', better: 'Right.', worse: 'Wrong.' },
  ]);
});
afterAll(remove);

describe('docs/judging.md', () => {
  it.each(examplesOf('judging.md'))('example %i runs', async (i, code) => {
    const output = { judged: join(folder, `judged-${i}`) };
    const logged = await runExample(join(folder, `example-${i}.ts`), code, { ...files, ...output });
    expect(logged.length).toBeGreaterThan(0);
  });

  it('has a command that runs', async () => {
    const [line] = /^llamatune judge .*$/m.exec(page)!;
    const named = Object.entries({ ...files, judged: join(folder, 'judged-cli') });
    const args = line
      .split(' ')
      .slice(1)
      .map((word) =>
        word
          .split(',')
          .map((part) => named.find(([name]) => name === part)?.[1] ?? part)
          .join(','),
      );
    const { exit, stdout } = await llamatune(args);
    expect(stdout).toContain('tuned against base');
    expect(exit).toBe(0);
  });

  it('shows the default prompt and rubric', () => {
    expect(page).toContain(`\`\`\`text\n${DEFAULT_PROMPT}\n\`\`\``);
    expect(page).toContain(`\`\`\`text\n${DEFAULT_RUBRIC}\n\`\`\``);
  });
});
