import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  addModelCard,
  cardText,
  type TrainingCard,
  writeModelCard,
} from '../../../src/report/model-card.js';

let root: string;
let folder: string;
let count = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'llamatune-card-'));
});
beforeEach(() => {
  folder = join(root, String(count++));
  mkdirSync(folder);
});
afterAll(() => rmSync(root, { recursive: true }));

const card = (more: Partial<TrainingCard> = {}): TrainingCard => ({
  kind: 'adapter',
  output: join(folder, 'adapter.gguf'),
  model: { path: '/home/anna/models/base.gguf', name: 'Tiny', architecture: 'llama' },
  datasets: ['/home/anna/train.jsonl'],
  samples: 20,
  validationSamples: 1,
  config: {
    model: '/home/anna/models/base.gguf',
    lora: { rank: 8 },
    output: 'C:\\x\\adapter.gguf',
  },
  results: [['Steps', '3']],
  interventions: ['step 2: skip: loss 9 is above the limit 3'],
  history: [1, 2, 3].map((step) => ({
    type: 'step',
    step,
    epoch: 1,
    loss: 2 / step,
    learningRate: 1e-4,
  })),
  experts: [],
  ...more,
});
/** Two experts of one layer in two steps. */
const experts = [1, 2].map((step) => ({
  firstStep: step,
  lastStep: step,
  layers: [{ layer: 0, counts: [step, 3] }],
}));
const read = (name: string) => readFileSync(join(folder, name), 'utf8');

describe('a model card', () => {
  it('does not follow a link that leads nowhere', () => {
    symlinkSync(join(folder, 'elsewhere.md'), join(folder, 'README.md'));
    expect(writeModelCard(card())).toBeNull();
    expect(readdirSync(folder)).not.toContain('elsewhere.md');
  });

  it('quotes names of files for a shell', () => {
    const text = cardText(card({ output: "/runs/$(id) it's.gguf" }), []);
    expect(text).toContain("llama-cli -m base.gguf --lora '$(id) it'\\''s.gguf'");
    expect(cardText(card({ output: '/runs/-x.gguf' }), [])).toContain("--lora './-x.gguf'");
  });

  it('says what the adapter is and how to use it, without the folders of this machine', () => {
    expect(writeModelCard(card())).toBe(join(folder, 'README.md'));
    expect(readdirSync(folder).sort()).toEqual(['README.md', 'adapter-loss.svg']);
    const text = read('README.md');
    expect(text.startsWith('---\ntags:')).toBe(true);
    for (const part of [
      'Tiny (llama, `base.gguf`)',
      '`train.jsonl`: 20 samples, and 1 sample for validation.',
      '![Loss by optimizer step](adapter-loss.svg)',
      '| Steps | 3 |',
      '- step 2: skip: loss 9 is above the limit 3',
      'llama-cli -m base.gguf --lora adapter.gguf',
      'FROM ./base.gguf\nADAPTER ./adapter.gguf',
      "adapters: ['adapter.gguf']",
    ]) {
      expect(text).toContain(part);
    }
    expect(text).not.toMatch(/anna|C:/);
    expect(read('adapter-loss.svg')).toMatch(/^<svg/);
  });

  it('of a merged model needs no adapter', () => {
    const { model } = card();
    const output = join(folder, 'merged.gguf');
    writeModelCard({ kind: 'merged', output, model, adapter: '/x/adapter.gguf', type: 'Q8_0' });
    const text = read('README.md');
    expect(text).toContain('`adapter.gguf` merged into its weights (type: Q8_0)');
    expect(text).toContain('FROM ./merged.gguf\n```');
    expect(text).not.toContain('--lora');
  });

  it('of a merged model says how the adapter was trained, with its curve', () => {
    writeModelCard(card());
    const { model, output: adapter } = card();
    const output = join(folder, 'merged', 'model.gguf');
    writeModelCard({ kind: 'merged', output, model, adapter, type: 'same' });
    const text = read('merged/README.md');
    expect(text).toContain('`train.jsonl`: 20 samples');
    expect(text).toContain('![Loss by optimizer step](model-loss.svg)');
    expect(text.match(/^## Use$/gm)).toHaveLength(1);
    expect(read('merged/model-loss.svg')).toContain('3 steps');
  });

  it('of a mixture of experts shows their use, and that of a merged model too', () => {
    writeModelCard(card({ experts }));
    const links =
      '![Loss by optimizer step](adapter-loss.svg)\n\n![Use of experts by optimizer step](adapter-experts.svg)\n\n';
    expect(read('README.md')).toContain(links);
    expect(read('adapter-experts.svg')).toContain('Routing entropy');
    const { model, output: adapter } = card();
    const output = join(folder, 'merged', 'model.gguf');
    writeModelCard({ kind: 'merged', output, model, adapter, type: 'same' });
    expect(read('merged/README.md')).toContain(links.replaceAll('adapter-', 'model-'));
    expect(read('merged/model-experts.svg')).toContain('Routing entropy');
  });

  it('is replaced by the next card of the same output', () => {
    writeModelCard(card());
    expect(writeModelCard(card({ samples: 77 }))).toBe(join(folder, 'README.md'));
    expect(read('README.md')).toContain('77 samples');
  });

  it('of an output with special characters in its name is valid, and known again', () => {
    const output = join(folder, "it's--mine---v2.gguf");
    for (const samples of [20, 77])
      expect(writeModelCard(card({ output, samples }))).not.toBeNull();
    expect(read('README.md')).toContain('77 samples');
    expect(read('README.md')).toContain(String.raw`adapters: ['it\'s--mine---v2.gguf']`);
    const comments = [...read("it's--mine---v2-loss.svg").matchAll(/<!--([\s\S]*?)-->/g)];
    expect(comments).toHaveLength(1);
    expect(comments[0]?.[1]).not.toContain('--');
  });

  it('of another output gets another name', () => {
    writeModelCard(card());
    const other = card({ output: join(folder, 'other.gguf') });
    expect(writeModelCard(other)).toBe(join(folder, 'other.md'));
    expect(read('README.md')).toContain('# adapter\n');
    expect(read('other.md')).toContain('# other\n');
  });

  it.each([
    ['of another origin', () => writeFileSync(join(folder, 'README.md'), '# mine\n')],
    [
      'that was edited',
      () => {
        writeModelCard(card());
        writeFileSync(
          join(folder, 'README.md'),
          read('README.md').replace('# adapter', '# My adapter'),
        );
      },
    ],
    ['that is a folder', () => mkdirSync(join(folder, 'README.md'))],
  ])('does not replace a README.md %s', (_, prepare) => {
    prepare();
    const names = readdirSync(folder);
    const text = textOrError('README.md');
    expect(writeModelCard(card({ samples: 99 }))).toBeNull();
    expect(readdirSync(folder)).toEqual(names);
    expect(textOrError('README.md')).toBe(text);
  });

  it('leaves a picture of another origin as it is', () => {
    writeFileSync(join(folder, 'adapter-loss.svg'), '<svg/>');
    writeModelCard(card());
    expect(read('adapter-loss.svg')).toBe('<svg/>');
    expect(read('README.md')).not.toContain('adapter-loss.svg');
  });

  // a folder in which nobody can create files, not even root
  it.runIf(process.platform === 'linux')('is a warning if it cannot be written', () => {
    expect(addModelCard(card({ output: '/proc/llamatune/adapter.gguf' }))).toEqual({
      modelCard: null,
      warnings: [
        { code: 'MODEL_CARD_NOT_WRITTEN', message: expect.stringContaining('/proc/llamatune') },
      ],
    });
    expect(addModelCard(card())).toEqual({ modelCard: join(folder, 'README.md'), warnings: [] });
  });
});

function textOrError(name: string): string {
  try {
    return read(name);
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
