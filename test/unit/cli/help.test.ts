import { describe, expect, it } from 'vitest';
import { loadCommand, loadCommands } from '../../../src/cli/cli.js';
import { commandHelp, programHelp, wrap } from '../../../src/cli/help.js';
import { cliOptions } from '../../../src/cli/option.js';
import { describeOptions } from '../../../src/config/describe.js';
import { finetuneSchema } from '../../../src/config/finetune.js';
import { generateSchema } from '../../../src/config/generate.js';

const commands = await loadCommands();

describe('commandHelp', () => {
  it.each(commands)(
    '$help.name: every option, examples and usage, at the given width',
    ({ help }) => {
      const text = commandHelp(help, 80);
      expect(text).toMatch(new RegExp(`^Usage: llamatune ${help.name} `));
      expect(help.examples.length).toBeGreaterThan(1);
      for (const { line } of help.examples) expect(text).toContain(line);
      for (const { name } of help.options) expect(text).toContain(`--${name}`);
      for (const name of ['config', 'json', 'help']) expect(text).toContain(`--${name}`);
      const prose = text.slice(text.indexOf('\nOptions:')).split('\n');
      // A list of choices or a path may be longer than a line; prose never is.
      for (const line of prose.filter((each) => each.startsWith('      '))) {
        expect(line.length).toBeLessThanOrEqual(80);
      }
    },
  );

  it('is that of the command with this name', async () => {
    for (const { help } of commands) expect((await loadCommand(help.name))?.help).toBe(help);
    expect(await loadCommand('constructor')).toBeUndefined();
  });

  it('names defaults and lists required options separately', () => {
    const text = commandHelp(commands[0]!.help, 80);
    const required = text.slice(text.indexOf('\nRequired:'), text.indexOf('\nOptions:'));
    for (const name of ['--model <path>', '--dataset <path[@weight]>', '--output <path>']) {
      expect(required).toContain(name);
    }
    expect(required).not.toContain('--epochs');
    expect(text).toMatch(/--optimizer\.learningRate[^-]+Default: 0\.0001\./);
    expect(text).toMatch(/--lora\.targets[\s\S]+?Default:\s+all-linear/);
  });
});

describe('the help of bench', () => {
  it('requires no model, which a suite names itself', () => {
    const text = commandHelp(commands.find(({ help }) => help.name === 'bench')!.help, 80);
    expect(text).not.toContain('\nRequired:');
    expect(text).toMatch(/--model <path>[^-]+Required\s+without --suite\./);
  });
});

describe('cliOptions', () => {
  it('covers every option of a schema that the command line can give', () => {
    for (const schema of [finetuneSchema, generateSchema]) {
      const descriptions = describeOptions(schema);
      const names = cliOptions(descriptions).map(({ name }) => name);
      expect(names).toEqual(
        descriptions.filter(({ kind }) => kind !== 'none').map(({ path }) => path),
      );
      expect(names).not.toContain('signal');
    }
  });

  it('knows the kinds of stop sequences and adapters', () => {
    const kinds = new Map(
      cliOptions(describeOptions(generateSchema)).map(({ name, kind }) => [name, kind]),
    );
    expect(kinds.get('stop')).toBe('texts');
    expect(kinds.get('adapters')).toBe('adapters');
    expect(kinds.get('temperature')).toBe('number');
    expect(kinds.get('ignoreEos')).toBe('boolean');
    expect(kinds.get('messages')).toBe('json');
  });
});

describe('programHelp', () => {
  it('lists the commands and the exit codes', () => {
    const text = programHelp(
      commands.map(({ help }) => help),
      80,
    );
    for (const { help } of commands) expect(text).toContain(`\n  ${help.name} `);
    expect(text).toContain('128 + n  ended by signal n');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });
});

describe('wrap', () => {
  it('breaks at spaces and keeps long words whole', () => {
    expect(wrap('one two three', 9, '  ')).toBe('  one two\n  three');
    expect(wrap('a-very-long-word b', 5, '')).toBe('a-very-long-word\nb');
  });
});
