import { createHash } from 'node:crypto';
import { lstatSync, readFileSync } from 'node:fs';
import { replaceFile } from '../files/atomic-file.js';

const MARK = /\n\n<!-- written by llamatune for (.+), sha256 ([0-9a-f]{64}) -->\n$/;

/** An owner in the mark: XML comments, such as that of a picture, must not have two hyphens in a row. */
const marked = (owner: string): string => owner.replaceAll(/-(?=-)/g, '%2D');
const unmarked = (text: string): string => text.replaceAll('%2D', '-');

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Writes a Markdown or SVG file, with a last line by which ownerOf() knows it again. */
export function writeOwnFile(path: string, text: string, owner: string, what: string): void {
  const body = text.trimEnd();
  const mark = `\n\n<!-- written by llamatune for ${marked(owner)}, sha256 ${hashOf(body)} -->\n`;
  replaceFile(path, `${body}${mark}`, what);
}

interface OwnFile {
  owner: string;
  text: string;
}

/**
 * What writeOwnFile() wrote the file for, and its text; 'none' if there is no file, and 'foreign' if another program wrote
 * it or anybody changed it since.
 */
export function ownerOf(path: string): OwnFile | 'none' | 'foreign' {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    // a link that leads nowhere would be followed when the file is written
    const isThere = lstatSync(path, { throwIfNoEntry: false }) !== undefined;
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && !isThere ? 'none' : 'foreign';
  }
  const [mark, owner, hash] = MARK.exec(content) ?? [];
  if (mark === undefined || owner === undefined) return 'foreign';
  const text = content.slice(0, -mark.length);
  return hashOf(text) === hash ? { owner: unmarked(owner), text } : 'foreign';
}

/** The text that writeOwnFile() wrote for this owner, without the mark; null if the file is another one. */
export function readOwnFile(path: string, owner: string): string | null {
  const found = ownerOf(path);
  return typeof found === 'object' && found.owner === owner ? found.text : null;
}
