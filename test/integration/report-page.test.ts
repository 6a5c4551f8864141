import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderCommunityTable, renderReport } from '../../src/index.js';
import { hasBrowser, startBrowser } from '../browser.js';
import { machines } from '../unit/report/community/fixture.js';
import { results } from '../unit/report/suite/fixture.js';
import { root } from './command-line.js';

describe.skipIf(!hasBrowser())('report.html in a browser', () => {
  const folder = mkdtempSync(join(tmpdir(), 'report-page-'));
  const file = join(folder, 'report.html');
  const tables = join(folder, 'table.html');
  let browser: Browser;
  beforeAll(async () => {
    writeFileSync(file, renderReport(results, { format: 'html' }));
    writeFileSync(tables, renderCommunityTable(machines, { format: 'html' }));
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Opens the page without a network; `problems` collects everything that goes wrong in it. */
  async function open(width: number, colorScheme: 'light' | 'dark' = 'light', path = file) {
    const context = await browser.newContext({
      viewport: { width, height: 900 },
      colorScheme,
      offline: true,
    });
    const page = await context.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => {
      if (message.type() !== 'log') problems.push(message.text());
    });
    page.on('requestfailed', (request) => problems.push(request.url()));
    await page.goto(pathToFileURL(path).href);
    return { page, problems };
  }

  const overflowOf = (page: Page) =>
    page.evaluate<number>(
      'document.documentElement.scrollWidth - document.documentElement.clientWidth',
    );

  /** Pictures for people, in build/test/screenshots/. */
  const screenshot = (page: Page, name: string) =>
    page.screenshot({ path: join(root, 'build', 'test', 'screenshots', name), fullPage: true });

  it.each([
    [400, 'light'],
    [1600, 'light'],
    [1600, 'dark'],
  ] as const)('draws every chart at %i pixels, %s, without errors', async (width, scheme) => {
    const { page, problems } = await open(width, scheme);
    const charts = page.locator('.chart');
    const count = await charts.count();
    expect(count).toBeGreaterThan(5);
    for (let i = 0; i < count; i++) {
      // a chart without data has axes but neither bars nor lines
      const marks = charts.nth(i).locator('svg path[fill]:not([fill="none"]), svg path[stroke]');
      expect(await marks.count(), `chart ${i + 1}`).toBeGreaterThan(4);
      const box = (await charts.nth(i).locator('svg').boundingBox())!;
      expect(box.width).toBeGreaterThan(0.8 * Math.min(width, 1000) - 60);
    }
    // nothing but tables scrolls sideways
    expect(await overflowOf(page)).toBe(0);
    await screenshot(page, `report-${width}-${scheme}.png`);
    expect(problems).toEqual([]);
    await page.context().close();
  });

  it.each([400, 1600])(
    'shows tables across devices at %i pixels, without errors',
    async (width) => {
      const { page, problems } = await open(width, 'light', tables);
      expect(await page.locator('.chart svg').count()).toBe(6);
      // the names of the bars stand below each other, and none is cut off on the left
      const names = page.locator('.chart').first().locator('svg text', { hasText: 'phone' });
      const boxes = (await Promise.all((await names.all()).map((name) => name.boundingBox()))).map(
        (box) => box!,
      );
      expect(boxes.length).toBeGreaterThan(1);
      expect(new Set(boxes.map(({ y }) => Math.round(y))).size).toBe(boxes.length);
      for (const { x } of boxes) expect(x).toBeGreaterThan(0);
      expect(await overflowOf(page)).toBe(0);
      await screenshot(page, `table-${width}.png`);
      expect(problems).toEqual([]);
      await page.context().close();
    },
  );

  it('changes its colors with the scheme of the system', async () => {
    const { page, problems } = await open(1000, 'light');
    const background = () => page.locator('.chart svg rect').first().getAttribute('fill');
    const light = await background();
    await page.emulateMedia({ colorScheme: 'dark' });
    await expect.poll(background).not.toBe(light);
    expect(problems).toEqual([]);
    await page.context().close();
  });

  it('sorts a table by a column, numbers by value and other cells last', async () => {
    const { page } = await open(1000);
    const rank = page.getByRole('button', { name: 'lora.rank', exact: true });
    const table = page.locator('table').filter({ has: rank });
    const cells = () => table.locator('tbody tr td:nth-child(2)').allInnerTexts();
    const before = await cells();
    const heading = table.getByRole('button', { name: 'Tokens/s' });
    await heading.click();
    const ascending = await cells();
    expect(ascending).toEqual([...before].sort((a, b) => Number(a) - Number(b)));
    await heading.click();
    expect(await cells()).toEqual([...ascending].reverse());
    await page.context().close();
  });

  it('shows the interval of a value below the pointer', async () => {
    const { page } = await open(1000);
    const cell = page.getByRole('cell', { name: '512', exact: true }).first();
    expect(await cell.getAttribute('title')).toMatch(/95 % interval .* to /);
    const chart = page.locator('.chart').first();
    const box = (await chart.boundingBox())!;
    await chart.scrollIntoViewIfNeeded();
    await chart.hover({ position: { x: box.width / 3, y: 200 } });
    await expect.poll(() => chart.textContent()).toMatch(/tokens|average/);
    await page.context().close();
  });
});
