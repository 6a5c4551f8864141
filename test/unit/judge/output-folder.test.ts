import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { OutputFolder } from '../../../src/judge/output-folder.js';
import { folderPerTest } from '../../folder-per-test.js';
import { resultsOf } from '../report/judge/fixture.js';

const at = folderPerTest();

it.each(['{"check":true}', '{"verdict":"Z"}'])('refuses a damaged verdict: %s', (line) => {
  const { judge } = resultsOf();
  writeFileSync(at('verdicts-unfinished.jsonl'), `${JSON.stringify({ judge })}\n${line}\n`);
  expect(() => new OutputFolder(at(), judge)).toThrow(
    expect.objectContaining({
      code: 'RESULTS_INVALID',
      message: expect.stringContaining('line 2 is not a verdict'),
    }),
  );
});

it.each(['{"check":false,"index":0}', '{"judge":null}'])(
  'refuses verdicts without the settings of their judge: %s',
  (line) => {
    const text = `${line}\n`;
    writeFileSync(at('verdicts-unfinished.jsonl'), text);
    expect(() => new OutputFolder(at(), resultsOf().judge)).toThrow(
      expect.objectContaining({ code: 'RESULTS_INVALID' }),
    );
  },
);
