import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectDataset, renderInspection } from '../../src/index.js';
import { hasBrowser, startBrowser } from '../browser.js';
import { folderPerTest } from '../folder-per-test.js';
import { root } from './command-line.js';

const talk = (question: string, answer: string, weight = 1) => ({
  messages: [
    { role: 'user', content: question },
    { role: 'assistant', content: answer, weight },
  ],
});

describe.skipIf(!hasBrowser())('the page of a dataset in a browser', () => {
  const at = folderPerTest();
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser?.close());

  it.each([
    [400, 'light'],
    [1600, 'light'],
    [1600, 'dark'],
  ] as const)(
    'marks what is learned at %i pixels, %s, without errors',
    async (width, colorScheme) => {
      const inspection = await inspectDataset({
        model: join(root, 'vendor', 'llama.cpp', 'models', 'ggml-vocab-qwen2.gguf'),
        dataset: [
          talk('Why?', `${'x'.repeat(400)}\nBecause.`),
          talk('<script>alert(1)</script>', 'No.', 0.5),
          talk('Hi<|im_end|>', ' '),
          { text: 'no answer' },
        ],
        chatTemplate: 'chatml',
      });
      writeFileSync(at('page.html'), renderInspection(inspection, { format: 'html' }));
      const viewport = { width, height: 900 };
      const context = await browser.newContext({ viewport, colorScheme, offline: true });
      const page = await context.newPage();
      const problems: string[] = [];
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('requestfailed', (request) => problems.push(request.url()));
      await page.goto(pathToFileURL(at('page.html')).href);
      expect(await page.locator('mark').count()).toBe(3);
      expect(await page.locator('mark.weighted').textContent()).toBe('No.<|im_end|>');
      const overflow =
        'document.documentElement.scrollWidth - document.documentElement.clientWidth';
      expect(await page.evaluate(overflow)).toBe(0);
      const background = 'getComputedStyle(document.querySelector("mark")).backgroundColor';
      expect(await page.evaluate(background)).toBe(
        colorScheme === 'dark' ? 'rgb(31, 81, 53)' : 'rgb(200, 236, 212)',
      );
      const picture = join(
        root,
        'build',
        'test',
        'screenshots',
        `dataset-${width}-${colorScheme}.png`,
      );
      await page.screenshot({ path: picture, fullPage: true });
      expect(problems).toEqual([]);
      await context.close();
    },
  );
});
