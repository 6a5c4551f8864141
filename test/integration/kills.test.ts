// A run that is killed at random moments and resumed again and again gives the same file, byte for byte.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { readRunLog } from '../../src/index.js';
import { seededRandom } from '../../src/random.js';
import { folderPerTest } from '../folder-per-test.js';
import { jsonLines, llamatune } from './command-line.js';
import { tinyModel } from './tiny-model.js';

/** How often the run is killed: a few times in `npm test`, more in `npm test -- kills`. */
const KILLS = Number(process.env.LLAMATUNE_TEST_KILLS ?? 3);

const at = folderPerTest();
let model: string;
beforeAll(async () => {
  model = await tinyModel();
});

/** A run whose checkpoints take most of its time, so that many kills fall into one. */
const finetune = (output: string, ...more: string[]) => [
  ...['finetune', '--model', model, '--dataset', at('train.jsonl'), '--output', at(output)],
  ...['--sequenceLength', '32', '--batchSize', '4', '--threads', '1', '--loss', 'completion'],
  ...[
    '--maxSteps',
    String(100 * (KILLS + 1)),
    '--validation.split',
    '0.25',
    '--validation.everySteps',
    '7',
  ],
  ...['--validation.keepBest', '--json', ...more],
];

/** Steps and losses in the run log of an output. */
const stepsOf = (output: string) =>
  readRunLog(at(output.replace('.gguf', '-log.jsonl'))).events.flatMap((event) =>
    event.type === 'step' ? [[event.step, event.loss] as const] : [],
  );

describe('a run that is killed', () => {
  it(`${KILLS} times at random moments writes the same adapter`, async () => {
    const rows = Array.from({ length: 16 }, (_, i) => ({
      prompt: `${i}?`,
      completion: ` ${i + 1}`,
    }));
    writeFileSync(at('train.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    expect((await llamatune(finetune('whole.gguf'))).exit).toBe(0);

    const resumed = finetune(
      'adapter.gguf',
      ...['--checkpoint.directory', at('checkpoints'), '--checkpoint.everySteps', '1'],
      ...['--checkpoint.resume', 'auto'],
    );
    const random = seededRandom(Date.now());
    const firstSteps: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const delay = 400 * random();
      let running = false;
      const { stdout, exit } = await llamatune(resumed, {
        onOutput(text, child) {
          if (running || !text.includes('"type":"step"')) return;
          running = true;
          setTimeout(() => child.kill('SIGKILL'), delay);
        },
      });
      expect(exit).toBe(null);
      expect(existsSync(at('adapter.gguf'))).toBe(false);
      const events = jsonLines(stdout.slice(0, stdout.lastIndexOf('\n')));
      firstSteps.push(events.find(({ type }) => type === 'step')?.step as number);
    }
    const last = await llamatune(resumed);
    expect(last.exit).toBe(0);
    expect(last.stdout).toContain('"type":"resume"');
    expect(last.stdout).not.toContain('CHECKPOINT_SKIPPED');
    expect(firstSteps[0]).toBe(1);
    expect(firstSteps.at(-1)).toBeGreaterThan(1);
    expect(readFileSync(at('adapter.gguf')).equals(readFileSync(at('whole.gguf')))).toBe(true);
    // one log with every step once; a step that was saved but not yet logged is lost with the process
    const whole = new Map(stepsOf('whole.gguf'));
    const steps = stepsOf('adapter.gguf');
    expect(steps.length).toBeGreaterThan(0.9 * whole.size);
    expect(steps.map(([step]) => step)).toEqual(
      [...new Set(steps.map(([step]) => step))].sort((a, b) => a - b),
    );
    for (const [step, loss] of steps) expect(loss).toBe(whole.get(step));
    expect(readdirSync(at('.')).filter((name) => name.includes('-log'))).toHaveLength(2);
    // the last three checkpoints of one run, and no half of one
    expect(readdirSync(at('checkpoints'))).toHaveLength(3);
  });
});
