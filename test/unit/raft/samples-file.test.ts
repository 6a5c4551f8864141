import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readSamples, SamplesFile } from '../../../src/raft/samples-file.js';
import { folderPerTest } from '../../folder-per-test.js';
import { sampleOf } from './samples.js';

const at = folderPerTest();
const file = () => at('samples.jsonl');

describe('SamplesFile', () => {
  it('is sorted by prompt and sample in the end, whatever the order of the answers', () => {
    using written = new SamplesFile(file());
    const order = [
      [1, 0],
      [0, 1],
      [0, 0],
    ] as const;
    for (const [index, sample] of order) written.add(sampleOf({ index, sample }));
    written.finish();
    const read = readSamples(file()).map(({ index, sample }) => `${index}.${sample}`);
    expect(read).toEqual(['0.0', '0.1', '1.0']);
  });

  it('continues after a kill in the middle of a line', () => {
    const written = new SamplesFile(file());
    written.add(sampleOf());
    written[Symbol.dispose]();
    appendFileSync(file(), '{"index":0,"sam');
    using continued = new SamplesFile(file());
    expect(continued.samples).toEqual([sampleOf()]);
    continued.add(sampleOf({ sample: 1 }));
    expect(readFileSync(file(), 'utf8').trimEnd().split('\n')).toHaveLength(2);
  });

  it('refuses a damaged line', () => {
    writeFileSync(file(), 'not JSON\n');
    expect(() => new SamplesFile(file())).toThrow(
      expect.objectContaining({ code: 'RESULTS_INVALID' }),
    );
  });
});
