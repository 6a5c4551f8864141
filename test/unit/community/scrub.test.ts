import { homedir, hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type PersonalValue, personalValues } from '../../../src/community/personal-values.js';
import { Scrubber } from '../../../src/community/scrub.js';

const alice: PersonalValue[] = [
  { kind: 'home folder', value: '/home/alice' },
  { kind: 'home folder', value: 'C:\\Users\\Alice Smith' },
  { kind: 'user name', value: 'alice' },
  { kind: 'host name', value: 'alices-laptop' },
  { kind: 'MAC address', value: '02:fc:00:00:00:01' },
  { kind: 'IP address', value: 'fd00::2' },
  { kind: 'serial number', value: 'C02XY1234567' },
  { kind: 'secret', value: 'hf_abcdefgh' },
];
const scrub = (text: string) => new Scrubber(alice).text(text);

describe('Scrubber.text', () => {
  it.each([
    ["cannot read '/home/alice/my models/base.gguf'", "cannot read 'base.gguf'"],
    ['cannot read /home/alice/models/base.gguf: no file', 'cannot read base.gguf: no file'],
    ['/mnt/data/bob/base.gguf', 'base.gguf'],
    ['in /home/alice', 'in ~'],
    ["'~/base.gguf' and ~/more/base.gguf", "'base.gguf' and base.gguf"],
    ['C:\\Users\\Alice Smith\\models\\base.gguf', 'base.gguf'],
    ['"C:\\\\Users\\\\Alice Smith\\\\models\\\\base.gguf"', '"base.gguf"'],
    ['D:\\models\\7b\\base.gguf failed', 'base.gguf failed'],
    ['file:///srv/models/base.gguf', 'base.gguf'],
    ['alice@alices-laptop, Alice on ALICES-LAPTOP', 'user@host, user on host'],
    [
      'interface 02:FC:00:00:00:01, other AA-BB-CC-DD-EE-FF',
      'interface mac-address, other mac-address',
    ],
    ['fd00::2 and 192.168.1.10:50052', 'ip-address and ip-address:50052'],
    ['serial C02XY1234567', 'serial serial-number'],
    ['GPU-8f1c7c3a-1111-2222-3333-0123456789ab', 'GPU-identifier'],
    ['token hf_abcdefgh, mail bob@example.org', 'token secret, mail e-mail-address'],
  ])('%s', (before, after) => {
    expect(scrub(before)).toBe(after);
  });

  it.each([
    '12.5 tokens/s, 3 samples/s and 1/2',
    'malice and alicea are other words',
    'adapter.gguf@0.5',
    'llama.cpp 0.5.0, kernel 6.18.44-fc, driver 580.65.06, 31.0.101.5522',
    'https://github.com/ggml-org/llama.cpp',
    '2026-11-28T12:00:00.000Z',
    'blk.0.ffn_(gate|up)_exps=cpu',
    'training | qwen3-0.6b | Q8_0 | auto | lora.rank 4',
  ])('keeps %s', (text) => {
    expect(scrub(text)).toBe(text);
  });
});

describe('Scrubber.json', () => {
  it('makes names of the paths of models and datasets, also of relative ones', () => {
    const spec = {
      model: 'models/alice/base.gguf',
      dataset: 'private/train.jsonl',
      kind: 'training',
    };
    const data = { models: ['shape:qwen3-0.6b', '../base.gguf'], spec, validation: null };
    expect(new Scrubber([]).json(data)).toEqual({
      models: ['shape:qwen3-0.6b', 'base.gguf'],
      spec: { model: 'base.gguf', dataset: 'train.jsonl', kind: 'training' },
      validation: null,
    });
  });

  it('keeps the words of the format even if a user has such a name', () => {
    const scrubber = new Scrubber([{ kind: 'user name', value: 'training' }]);
    expect(scrubber.json({ kind: 'training', title: 'training of training' })).toEqual({
      kind: 'training',
      title: 'user of user',
    });
  });
});

describe('Scrubber.lines', () => {
  it('reads JSON lines as JSON and others as text, and keeps every number', () => {
    const lines = [
      '{"model":"models/base.gguf","loss":0.00009504844638286158}',
      'warning: cannot open /home/alice/x/y',
      '{not json',
      '',
    ];
    expect(new Scrubber(alice).lines(lines.join('\n')).split('\n')).toEqual([
      '{"model":"base.gguf","loss":0.00009504844638286158}',
      'warning: cannot open y',
      '{not json',
      '',
    ]);
  });
});

describe('Scrubber.replaced', () => {
  it('lists every replaced text once, with how often', () => {
    const scrubber = new Scrubber(alice);
    scrubber.text('alice and alice on alices-laptop');
    expect(scrubber.replaced).toEqual([
      { kind: 'host name', before: 'alices-laptop', after: 'host', count: 1 },
      { kind: 'user name', before: 'alice', after: 'user', count: 2 },
    ]);
  });
});

describe('personalValues', () => {
  it('has what identifies this machine, and nothing of it is left', async () => {
    const values = await personalValues();
    const listed = values.map(({ value }) => value);
    expect(listed).toEqual(expect.arrayContaining([homedir(), userInfo().username]));
    if (hostname() !== 'localhost') expect(listed).toContain(hostname());
    const path = join(homedir(), 'models', 'base.gguf');
    const text = [...listed, `'${path}'`].map((value) => `x ${value} y`).join('\n');
    const scrubbed = new Scrubber(values).text(text);
    for (const value of listed) expect(scrubbed).not.toContain(`x ${value} y`);
    expect(scrubbed.split('\n').at(-1)).toBe("x 'base.gguf' y");
  });

  it('has the values of variables that are named like secrets', async () => {
    process.env.EXAMPLE_API_KEY = 'sk-0123456789';
    process.env.EXAMPLE_TOKEN = 'short';
    try {
      const secrets = (await personalValues()).filter(({ kind }) => kind === 'secret');
      expect(secrets).toContainEqual({ kind: 'secret', value: 'sk-0123456789' });
      expect(secrets).not.toContainEqual({ kind: 'secret', value: 'short' });
    } finally {
      delete process.env.EXAMPLE_API_KEY;
      delete process.env.EXAMPLE_TOKEN;
    }
  });
});
