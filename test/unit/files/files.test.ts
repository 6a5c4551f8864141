import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { replaceFile } from '../../../src/files/atomic-file.js';
import { identify, isSameFile } from '../../../src/files/identity.js';
import { isTemporaryCheckpoint, isTemporaryOf, temporaryName } from '../../../src/files/names.js';
import { folderPerTest } from '../../folder-per-test.js';

const at = folderPerTest();

describe('replaceFile', () => {
  it('writes a new file and its folders, replaces an old file, and leaves no temporary files behind', () => {
    replaceFile(at('a/b.svg'), 'first', 'loss curve');
    replaceFile(at('a/b.svg'), 'second', 'loss curve');
    expect(readFileSync(at('a/b.svg'), 'utf8')).toBe('second');
    expect(readdirSync(at('a'))).toEqual(['b.svg']);
  });

  it('keeps the old file if the new one cannot be renamed to it', () => {
    mkdirSync(at('taken/by-a-folder'), { recursive: true });
    expect(() => replaceFile(at('taken'), 'text', 'loss curve')).toThrow(
      expect.objectContaining({
        code: 'OUTPUT_NOT_WRITABLE',
        message: expect.stringContaining(`the loss curve '${at('taken')}'`),
      }),
    );
    expect(readdirSync(at())).toEqual(['taken']);
  });

  it.skipIf(process.platform === 'win32')('keeps a symbolic link and permissions', () => {
    writeFileSync(at('real.svg'), 'first');
    chmodSync(at('real.svg'), 0o600);
    symlinkSync('real.svg', at('link.svg'));
    symlinkSync('later.svg', at('dangling.svg'));
    replaceFile(at('link.svg'), 'second', 'loss curve');
    replaceFile(at('dangling.svg'), 'third', 'loss curve');
    expect(readFileSync(at('real.svg'), 'utf8')).toBe('second');
    expect(readFileSync(at('later.svg'), 'utf8')).toBe('third');
    for (const link of ['link.svg', 'dangling.svg']) {
      expect(lstatSync(at(link)).isSymbolicLink()).toBe(true);
    }
    expect(statSync(at('real.svg')).mode & 0o777).toBe(0o600);
  });
});

describe('isSameFile', () => {
  it('compares names as the file systems of macOS and Windows do, before a file exists', () => {
    const [a, b] = [identify(at('Caf\u00e9.gguf')), identify(at('cafe\u0301.GGUF'))];
    expect(isSameFile(a, b, 'linux')).toBe(false);
    expect(isSameFile(a, b, 'darwin')).toBe(true);
    expect(isSameFile(a, b, 'win32')).toBe(true);
  });

  it('compares inodes once both exist', () => {
    writeFileSync(at('a'), '');
    writeFileSync(at('b'), '');
    expect(isSameFile(identify(at('a')), identify(at('b')))).toBe(false);
    expect(isSameFile(identify(at('a')), identify(join(at(), 'x', '..', 'a')))).toBe(true);
  });
});

describe('temporary names', () => {
  it('can be told from other files', () => {
    const target = at('adapter.gguf');
    const name = temporaryName(target).slice(at().length + 1);
    expect(isTemporaryOf(target, name)).toBe(true);
    for (const other of ['adapter.gguf', 'adapter.gguf.tmp', `x${name}`]) {
      expect(isTemporaryOf(target, other)).toBe(false);
    }
    expect(isTemporaryCheckpoint('checkpoint-12.gguf.llamatune-tmp-7-0')).toBe(true);
    expect(isTemporaryCheckpoint('checkpoint-12.gguf')).toBe(false);
    expect(isTemporaryCheckpoint(name)).toBe(false);
    expect(existsSync(target)).toBe(false);
  });
});
