import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Scrubber } from '../../../src/community/scrub.js';
import { readSubmissions } from '../../../src/community/submission.js';
import { renderCommunityTable } from '../../../src/report/community/render-table.js';
import { reportFiles } from '../../../src/report/suite/render-report.js';
import { root } from '../../layout/source-files.js';

// benchmarks/community/README.md is generated from its folders. After a change: npm run docs

const folder = join(root, 'benchmarks', 'community');
const submissions = readSubmissions(folder);

describe('benchmarks/community', () => {
  it('has the tables of all submissions in its README', async () => {
    const tables = renderCommunityTable(submissions, { format: 'markdown' });
    await expect(tables).toMatchFileSnapshot(join(folder, 'README.md'));
  });

  it.each(submissions)('$name has a summary of its results', async ({ name, results }) => {
    const summary = reportFiles(results).find(({ path }) => path === 'summary.md')!;
    await expect(summary.text).toMatchFileSnapshot(join(folder, name, 'summary.md'));
  });

  it.each(submissions.map(({ name }) => name))(
    '%s is complete and without personal data',
    (name) => {
      for (const file of ['README.md', 'summary.md', 'results.json', 'logs', 'charts']) {
        expect(existsSync(join(folder, name, file)), file).toBe(true);
      }
      const scrubber = new Scrubber([]);
      const paths = readdirSync(join(folder, name), { recursive: true, encoding: 'utf8' });
      for (const path of paths.filter((each) => /\.(md|json|log|csv)$/.test(each))) {
        scrubber.lines(readFileSync(join(folder, name, path), 'utf8'));
      }
      expect(scrubber.replaced).toEqual([]);
    },
  );
});
