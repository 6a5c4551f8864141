import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { replaceFile } from '../files/atomic-file.js';

const MARK = /\n\n<!-- written by llamatune for (.+), sha256 ([0-9a-f]{64}) -->\n$/;

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Writes a Markdown or SVG file, with a last line by which ownerOf() knows it again. */
export function writeOwnFile(path: string, text: string, owner: string, what: string): void {
  const body = text.trimEnd();
  const mark = `\n\n<!-- written by llamatune for ${owner}, sha256 ${hashOf(body)} -->\n`;
  replaceFile(path, `${body}${mark}`, what);
}

/**
 * What writeOwnFile() wrote the file for; 'none' if there is no file, and 'foreign' if another program wrote it or anybody
 * changed it since.
 */
export function ownerOf(path: string): { owner: string } | 'none' | 'foreign' {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'none' : 'foreign';
  }
  const [mark, owner, hash] = MARK.exec(content) ?? [];
  if (mark === undefined || owner === undefined) return 'foreign';
  return hashOf(content.slice(0, -mark.length)) === hash ? { owner } : 'foreign';
}
