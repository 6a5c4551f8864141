import { describe, expect, it } from 'vitest';
import { type CliIo, usesColor } from '../../../src/cli/io.js';

const io = (isTTY: boolean, env: CliIo['env']) => ({ stdout: { isTTY }, env }) as CliIo;

describe('usesColor', () => {
  it('is true on a terminal only, and not with NO_COLOR', () => {
    expect(usesColor(io(true, {}))).toBe(true);
    expect(usesColor(io(true, { NO_COLOR: '' }))).toBe(true);
    expect(usesColor(io(true, { NO_COLOR: '1' }))).toBe(false);
    expect(usesColor(io(true, { TERM: 'dumb' }))).toBe(false);
    expect(usesColor(io(false, {}))).toBe(false);
  });
});
