import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { devNull } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { LlamatuneError } from '../../../src/errors.js';
import {
  type CallFiles,
  checkFiles,
  type OutputFile,
  problemsOfOptional,
} from '../../../src/files/check.js';
import { filesOfRun, type RunConfig } from '../../../src/files/run-files.js';
import { folderPerTest } from '../../folder-per-test.js';

const at = folderPerTest();
const write = (name: string) => {
  writeFileSync(at(name), name);
  return at(name);
};

function failure(files: CallFiles): LlamatuneError {
  try {
    checkFiles(files);
  } catch (error) {
    if (error instanceof LlamatuneError) return error;
    throw error;
  }
  throw new Error('the files were accepted');
}

/** The files of a run whose inputs exist. */
function run(more: RunConfig): CallFiles {
  return filesOfRun({
    model: write('model.gguf'),
    dataset: write('train.jsonl'),
    validation: { dataset: write('validation.jsonl') },
    lora: { initAdapter: write('first.gguf') },
    ...more,
  });
}
const inputs = ['model.gguf', 'train.jsonl', 'validation.jsonl', 'first.gguf'];

describe('an output that is an input', () => {
  it.each(inputs)('%s is refused', (name) => {
    const files = run({ output: at(name) });
    const error = failure(files);
    expect(error.code).toBe('OUTPUT_CONFLICT');
    expect(error.message).toContain(at(name));
    expect(error.problems).toEqual([{ path: 'output', message: expect.stringMatching('lost') }]);
  });

  it('is refused by every path that leads to it', () => {
    const files = run({});
    mkdirSync(at('below'));
    symlinkSync(at(), at('folder-link'), 'junction');
    linkSync(at('model.gguf'), at('hard.gguf'));
    const model = at('model.gguf');
    const paths = [
      `${at()}/./below/../model.gguf`,
      relative(process.cwd(), model),
      join(at('folder-link'), 'model.gguf'),
      at('hard.gguf'),
    ];
    for (const path of paths) {
      const error = failure({ ...files, outputs: [{ field: 'output', path, kind: 'file' }] });
      expect(error, path).toMatchObject({ code: 'OUTPUT_CONFLICT' });
    }
  });

  it.skipIf(process.platform === 'win32')('is refused through chains of symbolic links', () => {
    const files = run({});
    symlinkSync('model.gguf', at('near'));
    symlinkSync(at('near'), at('far'));
    symlinkSync(at('circle'), at('circle'));
    const output = (path: string): OutputFile[] => [{ field: 'output', path, kind: 'file' }];
    expect(failure({ ...files, outputs: output(at('far')) }).code).toBe('OUTPUT_CONFLICT');
    const circle = failure({ ...files, outputs: output(at('circle')) });
    expect(circle).toMatchObject({ code: 'OUTPUT_NOT_WRITABLE', message: /ELOOP/ });
  });

  it('is refused when it is another part of a split model', () => {
    const parts = [1, 2, 3].map((i) => write(`big-0000${i}-of-00003.gguf`));
    const error = failure(run({ model: parts[0]!, output: parts[2]! }));
    expect(error.code).toBe('OUTPUT_CONFLICT');
  });

  it('is refused for a loaded model, whose file may have been removed', () => {
    expect(failure(run({ model: { path: write('m.gguf') }, output: at('m.gguf') })).code).toBe(
      'OUTPUT_CONFLICT',
    );
    checkFiles(run({ model: { path: at('removed.gguf') }, output: at('out.gguf') }));
  });
});

describe('two outputs', () => {
  const log = (path: string): OutputFile => ({ field: 'runLog', path, kind: 'log' });
  const withLog = (files: CallFiles, path: string) => ({
    ...files,
    outputs: [...files.outputs, log(path)],
  });

  it('that are the same file are refused before it exists', () => {
    mkdirSync(at('real'));
    symlinkSync(at('real'), at('link'), 'junction');
    const files = run({ output: join(at('link'), 'new', 'out.gguf') });
    const error = failure(withLog(files, join(at('real'), 'new', 'out.gguf')));
    expect(error).toMatchObject({
      code: 'OUTPUT_CONFLICT',
      problems: [{ path: 'runLog', message: /output names the same file$/ }],
    });
    expect(readdirSync(at('real'))).toEqual([]);
  });

  it('are refused if one would be a folder inside of which the other is', () => {
    for (const [output, path] of [
      [at('out'), join(at('out'), 'run.jsonl')],
      [join(at('out'), 'a.gguf'), at('out')],
    ] as const) {
      expect(failure(withLog(run({ output }), path)).code).toBe('OUTPUT_CONFLICT');
    }
    const same = run({ output: at('out'), checkpoint: { directory: at('out') } });
    expect(failure(same).code).toBe('OUTPUT_CONFLICT');
  });

  it('are refused if a checkpoint could replace one, and accepted next to checkpoints', () => {
    const checkpoint = { directory: at() };
    for (const files of [
      run({ checkpoint, output: at('checkpoint-100.gguf') }),
      withLog(run({ checkpoint, output: at('out.gguf') }), at('checkpoint-7.gguf')),
      run({ checkpoint, output: at('out.gguf'), model: write('checkpoint-20.gguf') }),
    ]) {
      expect(failure(files).code).toBe('OUTPUT_CONFLICT');
    }
    checkFiles(run({ checkpoint, output: at('out.gguf') }));
    checkFiles(run({ checkpoint: { directory: at('below') }, output: at('checkpoint-1.gguf') }));
  });
});

describe('checkFiles', () => {
  it('reports all problems at once, and then makes no folder', () => {
    const files = filesOfRun({
      model: at('missing.gguf'),
      dataset: at(),
      lora: { initAdapter: at('missing-too.gguf') },
      checkpoint: { directory: at('new') },
      output: at(),
    });
    const error = failure(files);
    expect(error.code).toBe('MODEL_NOT_FOUND');
    expect(error.problems.map(({ path }) => path)).toEqual([
      'model',
      'dataset',
      'lora.initAdapter',
      'output',
    ]);
    for (const { path } of error.problems) expect(error.message).toContain(`\n  ${path}: `);
    expect(existsSync(at('new'))).toBe(false);
  });

  it('makes the folders of outputs that can be written', () => {
    const files = run({ output: at('a/b/out.gguf'), checkpoint: { directory: at('c/d') } });
    checkFiles(files);
    expect(existsSync(at('a/b')) && existsSync(at('c/d'))).toBe(true);
  });

  it('refuses what can never be an output', () => {
    const file = write('file');
    for (const output of [at(), `${at('new')}/`, join(file, 'below', 'out.gguf')]) {
      expect(failure(run({ output })).code).toBe('OUTPUT_NOT_WRITABLE');
    }
    const directory = run({ output: at('out.gguf'), checkpoint: { directory: file } });
    expect(failure(directory).problems).toMatchObject([{ path: 'checkpoint.directory' }]);
  });

  it.skipIf(process.platform === 'win32')('never replaces a device, but may log to one', () => {
    expect(failure(run({ output: '/dev/null' })).code).toBe('OUTPUT_NOT_WRITABLE');
    checkFiles({ inputs: [], outputs: [{ field: 'runLog', path: '/dev/null', kind: 'log' }] });
  });

  it('only compares files that another call checks', () => {
    const { inputs, outputs } = filesOfRun({
      model: at('missing.gguf'),
      output: at('new/out.gguf'),
    });
    const compareOnly = true;
    checkFiles({
      inputs: inputs.map((file) => ({ ...file, compareOnly })),
      outputs: outputs.map((file) => ({ ...file, compareOnly })),
    });
    expect(existsSync(at('new'))).toBe(false);
  });
});

/** Runs code in a child process, as the user nobody if this is root, whom permissions do not restrict. */
function asUser(code: string): string {
  const root = fileURLToPath(new URL('../../../dist', import.meta.url));
  cpSync(join(root, 'files'), at('dist/files'), { recursive: true });
  cpSync(join(root, 'errors.js'), at('dist/errors.js'));
  writeFileSync(at('dist/package.json'), '{"type":"module"}');
  const module = pathToFileURL(at('dist/files/check.js')).href;
  const script = `const { checkFiles } = await import('${module}'); ${code}`;
  const isRoot = process.getuid?.() === 0;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    cwd: at(),
    ...(isRoot ? { uid: 65534, gid: 65534 } : {}),
  });
  return child.stdout + child.stderr;
}

describe.skipIf(process.platform === 'win32')('checkFiles without permission', () => {
  it('names each file and folder that it may not use', () => {
    for (const name of ['secret.gguf', 'kept.gguf']) write(name);
    mkdirSync(at('locked'));
    chmodSync(at('secret.gguf'), 0o000);
    chmodSync(at('kept.gguf'), 0o444);
    chmodSync(at('locked'), 0o555);
    chmodSync(at(), 0o755);
    const printed = asUser(`
      try {
        checkFiles({
          inputs: [{ field: 'model', path: 'secret.gguf', kind: 'model' }],
          outputs: [
            { field: 'a', path: 'kept.gguf', kind: 'file' },
            { field: 'b', path: 'locked/out.gguf', kind: 'file' },
            { field: 'c', path: 'locked/new/checkpoints', kind: 'folder' },
          ],
        });
      } catch (error) {
        console.log(JSON.stringify({ code: error.code, problems: error.problems }));
      }`);
    const { code, problems } = JSON.parse(printed);
    expect(code).toBe('MODEL_UNREADABLE');
    expect(problems).toMatchObject(['model', 'a', 'b', 'c'].map((path) => ({ path })));
    for (const { message } of problems) expect(message).toContain('EACCES');
  });
});

it('does not write an optional log to a device, which may be a pipe without a reader', () => {
  const log = { field: 'runLog', path: devNull, kind: 'log' } as const;
  const optional = { inputs: [], outputs: [{ ...log, optional: true }] };
  expect(problemsOfOptional(optional).get('runLog')?.message).toMatch('it is not a regular file');
  checkFiles({ inputs: [], outputs: [log] });
});
