import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { llamatune, root } from './command-line.js';
import { tinyModel } from './tiny-model.js';

/** A folder of the repository, so that vitest compiles the modules in it. */
const folder = join(root, '.cache', `docs-data-${process.pid}`);
const files: Record<string, string> = {};
beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  for (const name of ['train.jsonl', 'more.csv', 'adapter.gguf', 'dataset.html', 'runs/first']) {
    files[name] = join(folder, name);
  }
  files['base.gguf'] = await tinyModel('tiny-512', { contextLength: 512 });
  const talk = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Yes' },
  ];
  writeFileSync(files['train.jsonl']!, `${JSON.stringify({ messages: talk })}\n`.repeat(4));
  writeFileSync(files['more.csv']!, 'prompt,completion\nOnce, upon\nOne, two\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Text with the files of this test. */
const withFiles = (text: string, quote: (path: string) => string): string =>
  Object.entries(files).reduce(
    (result, [name, path]) =>
      result.replaceAll(new RegExp(`'${name}'|(?<= )${name}`, 'g'), quote(path)),
    text,
  );

const pages = ['data', 'templates'].map((name) => ({
  name,
  text: readFileSync(join(root, 'docs', `${name}.md`), 'utf8'),
}));
const finetuning = readFileSync(join(root, 'docs', 'finetuning.md'), 'utf8');
const trackers = { name: 'finetuning', text: finetuning.slice(finetuning.indexOf('## Trackers')) };
const blocks = [...pages, { ...trackers, text: trackers.text.split('\n## ')[0]! }].flatMap(
  ({ name, text }) =>
    [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code], i) => [name, i + 1, code!] as const),
);
const commands = pages.flatMap(({ text }) =>
  [...text.matchAll(/^llamatune .*$/gm)].map(([line]) => line),
);

describe('the guides on data and templates', () => {
  it.each(blocks)('docs/%s.md: example %i runs', async (name, i, code) => {
    const file = join(folder, `${name}-${i}.ts`);
    const library = JSON.stringify(join(root, 'src', 'index.js'));
    const module = withFiles(code, JSON.stringify).replaceAll("'llamatune'", library);
    writeFileSync(file, module);
    const log = vi.spyOn(console, 'log').mockReturnValue();
    try {
      await import(file);
      if (code.includes('console.log')) expect(log).toHaveBeenCalled();
    } finally {
      vi.restoreAllMocks();
    }
  });

  it.each(commands)('%s', async (line) => {
    const args = withFiles(line, (path) => path).split(' ');
    expect(await llamatune(args.slice(1))).toMatchObject({ exit: 0, stderr: '' });
  });

  it('the template with generation marks is one that works', async () => {
    const [, template] = /```jinja\n([\s\S]*?)```/.exec(pages[1]!.text)!;
    const path = join(folder, 'marks.jinja');
    writeFileSync(path, template!);
    const args = ['inspect', 'data', '--model', files['base.gguf']!, '--chatTemplate', path];
    const { stdout } = await llamatune([...args, '--dataset', files['train.jsonl']!]);
    expect(stdout).toContain('<|im_start|>assistant\n⟦Yes<|im_end|>⟧');
    expect(stdout).not.toContain('SUSPICIOUS');
  });
});
