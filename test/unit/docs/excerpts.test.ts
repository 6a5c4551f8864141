import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../../layout/source-files.js';

// These pages show parts of recorded reports, below comments that name them. After a change: npm run docs
const PAGES = [
  ['benchmarking.md', 6],
  ['quality.md', 4],
] as const;

/** '<!-- from: FILE | SECTION | TITLE | BLOCK -->' and the lines up to the next empty one. */
const EXCERPT = /^<!-- from: (.+?) \| (.+?) \| (.+?) \| (\d) -->\n(?:.+\n)*/gm;

/** A block of a report in Markdown: the table, list or text at this place below a title. */
function blockOf(file: string, section: string, title: string, block: string): string {
  const report = readFileSync(join(root, file), 'utf8');
  const inSection = report.split(/^(?=## )/m).find((text) => text.startsWith(`## ${section}\n`));
  const below = inSection?.split(/^(?=### )/m).find((text) => text.startsWith(`### ${title}\n`));
  const [, ...blocks] = below?.trim().split(/\n\n+/) ?? [];
  const found = blocks[Number(block)];
  if (found === undefined) throw new Error(`${file} has no '${section}', '${title}', ${block}`);
  return found;
}

it.each(PAGES)('docs/%s has parts of recorded reports as they are', async (name, excerpts) => {
  const path = join(root, 'docs', name);
  const page = readFileSync(path, 'utf8');
  const current = page.replace(
    EXCERPT,
    (_, file: string, section: string, title: string, block: string) =>
      `<!-- from: ${file} | ${section} | ${title} | ${block} -->\n${blockOf(file, section, title, block)}\n`,
  );
  expect(page.match(EXCERPT)?.length).toBeGreaterThanOrEqual(excerpts);
  await expect(current).toMatchFileSnapshot(path);
});
