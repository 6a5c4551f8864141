import { describe, expect, it } from 'vitest';
import {
  filesThatKnowOnednn,
  importsOf,
  nativeViolations,
  sourceViolations,
  unusedNativePermissions,
  unusedSourcePermissions,
} from './import-rules.js';
import { filesUnder } from './source-files.js';

const native = filesUnder('native', /\.(h|cpp|c|cc|hpp|cu|mm)$/);
const source = filesUnder('src', /\.ts$/);

describe('the import rules', () => {
  it('native folders include only what they may', () => {
    expect(native.length).toBeGreaterThan(10);
    expect(nativeViolations(native)).toEqual([]);
  });

  it('src folders import only what they may', () => {
    expect(source.length).toBeGreaterThan(10);
    expect(sourceViolations(source)).toEqual([]);
  });

  it('keep conditional compilation for oneDNN inside native/cpu', () => {
    expect(filesThatKnowOnednn(native)).toEqual([]);
  });

  it('have no unused permission', () => {
    expect(unusedNativePermissions(native)).toEqual([]);
    expect(unusedSourcePermissions(source)).toEqual([]);
  });
});

describe('the check of the import rules', () => {
  const nativeFile = (path: string, ...lines: string[]) =>
    nativeViolations([{ path, text: lines.join('\n') }]);
  const sourceFile = (path: string, ...lines: string[]) =>
    sourceViolations([{ path, text: lines.join('\n') }]);

  it('finds a native folder that includes another one', () => {
    expect(nativeFile('loss/x.cpp', '#pragma once', '#include "train/options.h"')).toEqual([
      'native/loss/x.cpp:2: loss must not import train/options.h',
    ]);
    expect(nativeFile('loss/x.cpp', '#include "../train/options.h"')).toHaveLength(1);
    expect(nativeFile('train/x.cpp', '#include "loss/x.h"', '#include <vector>')).toEqual([]);
  });

  it('finds headers of llama.cpp and Node-API in folders that may not include them', () => {
    expect(nativeFile('autodiff/engine/x.cpp', '#include "llama.h"')).toHaveLength(1);
    expect(nativeFile('optim/x.cpp', '#include "../src/llama-graph.h"')).toHaveLength(1);
    expect(nativeFile('graph/x.cpp', '#include "llama-graph.h"', '#include "ggml.h"')).toEqual([]);
    expect(nativeFile('autodiff/engine/x.cpp', '#include "ggml-backend.h"')).toEqual([]);
    expect(nativeFile('train/x.cpp', '#include <napi.h>')).toHaveLength(1);
    expect(nativeFile('binding/x.cpp', '#include <napi.h>')).toEqual([]);
  });

  it('finds conditional compilation for oneDNN outside of native/cpu', () => {
    const text = 'int x;\n#ifdef LLAMATUNE_ONEDNN\n#endif';
    const files = ['train/x.cpp', 'cpu/x.cpp'].map((path) => ({ path, text }));
    expect(filesThatKnowOnednn(files)).toEqual(['train/x.cpp']);
  });

  it('finds a permission that no file uses', () => {
    const rules = { a: ['b', '<llama>', 'c'], b: [], c: [] };
    const files = [
      { path: 'a/x.cpp', text: '#include "b/y.h"\n#include <llama.h>' },
      { path: 'b/y.h', text: '' },
    ];
    expect(unusedNativePermissions(files, rules)).toEqual([
      'no file of a imports c: remove the permission',
    ]);
    const sources = [{ path: 'a/x.ts', text: "import type { Y } from '../b/y.js';" }];
    expect(unusedSourcePermissions(sources, { a: ['type:b'], b: [] })).toEqual([]);
    expect(unusedSourcePermissions(sources, { a: ['type:c'], b: [], c: [] })).toHaveLength(1);
  });

  it('finds oneDNN’s headers outside of the kernels, and inner headers of the accelerator outside of it', () => {
    expect(nativeFile('bench/x.cpp', '#include <dnnl.hpp>')).toHaveLength(1);
    expect(nativeFile('bench/x.cpp', '#include <oneapi/dnnl/dnnl.hpp>')).toHaveLength(1);
    expect(nativeFile('cpu/kernels/x.cpp', '#include <dnnl.hpp>')).toEqual([]);
    for (const folder of ['bench', 'train', 'binding']) {
      expect(nativeFile(`${folder}/x.cpp`, '#include "cpu/kernels/gemm.h"')).toHaveLength(1);
      expect(nativeFile(`${folder}/x.cpp`, '#include "cpu/accelerator.h"')).toEqual([]);
    }
  });

  it('finds a folder that has no rule', () => {
    expect(nativeFile('utils/x.cpp', '')).toHaveLength(1);
    expect(sourceFile('helpers/x.ts', '')).toHaveLength(1);
  });

  it('finds a src folder that imports another one, in every form of import', () => {
    for (const line of [
      "import { load } from '../contract/load.js';",
      "import type { Addon } from '../contract/addon.js';",
      "export * from '../contract/load.js';",
      "const addon = await import('../contract/load.js');",
      "import '../contract/load.js';",
      "import {\n  load,\n  type Addon,\n} from '../contract/load.js';",
    ]) {
      expect(sourceFile('schedule/x.ts', line), line).toHaveLength(1);
    }
    expect(sourceFile('data/x.ts', "import { z } from 'zod';")).toEqual([]);
    expect(sourceFile('data/x.ts', "import { a } from './y.js';")).toEqual([]);
    expect(sourceFile('data/x.ts', "import { a } from '../errors.js';")).toEqual([]);
  });

  it('lets a report import types of a run, but no values', () => {
    expect(sourceFile('report/x.ts', "import type { A } from '../bench/a.js';")).toEqual([]);
    expect(sourceFile('report/x.ts', "import { a } from '../bench/a.js';")).toHaveLength(1);
  });

  it('reports the line of an import', () => {
    expect(importsOf("\n\nimport type { A } from './a.js';")).toEqual([
      { specifier: './a.js', typeOnly: true, line: 3 },
    ]);
  });
});
