// A run of raft that is killed in every kind of stage and continued has the same files, byte for byte.
import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { raft } from '../../src/index.js';
import { folderPerTest } from '../folder-per-test.js';
import { jsonLines, llamatune } from './command-line.js';
import { decidedFiles, raftOptions } from './raft-setup.js';

const at = folderPerTest();

/** When the process is killed: as soon as its output has this event. */
const moments: [what: string, event: RegExp][] = [
  ['before the first answer', /"type":"stage","stage":"baseline"/],
  ['among the answers of the baseline', /"type":"sample","stage":"baseline".*"done":7,/],
  ['among the answers of a cycle', /"type":"sample","stage":"samples","cycle":1,"done":19,/],
  ['between filter and training', /"type":"kept"/],
  ['in a training', /"type":"epoch","epoch":1/],
  ['in an evaluation', /"type":"sample","stage":"evaluation".*"done":4,/],
  ['at the start of the last training', /"type":"training","cycle":2/],
  ['among the last answers', /"type":"sample","stage":"final".*"done":12,/],
];

it('gives the same result after kills in every kind of stage', async () => {
  await raft(raftOptions(at('whole'))).result;
  writeFileSync(at('config.json'), JSON.stringify(raftOptions(at('killed'))));
  const command = ['raft', '--config', at('config.json'), '--resume', '--json'];
  for (const [what, event] of moments) {
    const { exit } = await llamatune(command, {
      onOutput(text, child) {
        if (text.split('\n').some((line) => event.test(line))) child.kill('SIGKILL');
      },
    });
    expect(exit, what).toBeNull();
  }
  const { exit, stdout } = await llamatune(command);
  expect(exit).toBe(0);
  expect(jsonLines(stdout).at(-1)).toMatchObject({ type: 'done' });
  const [whole, killed] = [decidedFiles(at('whole')), decidedFiles(at('killed'))];
  for (const [name, content] of Object.entries(whole)) {
    expect(killed[name] === content, `${name} is the same`).toBe(true);
  }
});
