/**
 * What each folder may import besides itself: other folders ('*': all of them) and, in native/, the headers of libraries,
 * in angle brackets. Every folder may include ggml's headers. A permission that no file uses is an error, so that the
 * table shows the real dependencies.
 */
export type ImportRules = Readonly<Record<string, readonly string[]>>;

export const NATIVE_RULES: ImportRules = {
  core: [],
  gguf: ['core'],
  backends: ['core', 'cpu'],
  model: ['<llama>', 'core', 'gguf', 'backends', 'cpu'],
  'model-tools': ['<llama>', 'core', 'gguf', 'model', 'adapter'],
  adapter: ['<llama>', 'core', 'gguf', 'model'],
  data: ['core'],
  graph: ['<llama>', 'core', 'model', 'data'],
  // engine/rule.h declares the table of rules, and rules/rule-table.cpp defines it.
  'autodiff/engine': ['core'],
  'autodiff/scan': ['core', 'autodiff/engine'],
  'autodiff/rules': ['core', 'autodiff/engine', 'autodiff/scan'],
  // cpu/accelerator.h is the only header of the accelerator for the rest of the tree.
  cpu: ['cpu/device', 'cpu/fusion', 'cpu/kernels'],
  'cpu/kernels': ['<onednn>', 'core'],
  'cpu/fusion': ['cpu/kernels', 'autodiff/engine'],
  'cpu/device': ['core', 'cpu', 'cpu/kernels'],
  loss: ['core', 'cpu'],
  optim: ['core', 'graph'],
  train: [
    'core',
    'backends',
    'model',
    'model-tools',
    'adapter',
    'gguf',
    'data',
    'graph',
    'autodiff/engine',
    'cpu',
    'loss',
    'optim',
  ],
  generate: ['<llama>', 'core', 'adapter', 'model'],
  score: ['<llama>', 'core', 'data', 'generate', 'model'],
  embed: ['<llama>', 'core', 'generate', 'model'],
  bench: ['core', 'train', 'generate', 'cpu'],
  check: ['<llama>', 'core', 'backends', 'model-tools', 'optim', 'train', 'generate'],
  binding: ['<node>', '*'],
  'addon.cpp': ['binding'],
  'addon-variants.cpp': ['<node>'],
};

/** Libraries whose headers only some folders may include, with the private headers of llama.cpp. */
const LIBRARIES: readonly (readonly [name: string, header: RegExp])[] = [
  ['<node>', /^(napi|node_api|js_native_api)/],
  ['<llama>', /(^|\/)llama[\w.-]*\.h(pp)?$|^models\/models\.h$/],
  ['<onednn>', /(^|\/)dnnl[\w.]*$/],
];

export const SOURCE_RULES: ImportRules = {
  'errors.ts': [],
  'closest.ts': [],
  'escape-html.ts': [],
  'format.ts': [],
  'random.ts': [],
  'price.ts': [],
  'expert-use.ts': [],
  'expert-history.ts': ['type:contract'],
  'time-limit.ts': [],
  'json-answer.ts': ['errors.ts', 'time-limit.ts'],
  'statistics.ts': ['random.ts'],
  // schedule: the names of the schedules.
  // type:adaptive: what a controller is.
  config: ['errors.ts', 'closest.ts', 'price.ts', 'schedule', 'type:adaptive'],
  adaptive: ['errors.ts', 'config', 'type:contract'],
  schedule: ['errors.ts'],
  // data checks rows with the schemas of config/dataset-row.ts; files: the error of the folder for temporary files.
  data: ['errors.ts', 'escape-html.ts', 'random.ts', 'config', 'files', 'type:contract'],
  // Types only: the addon takes configurations as they are.
  contract: ['errors.ts', 'type:config'],
  // config: what a dataset option may be.
  files: ['errors.ts', 'config', 'contract'],
  model: ['errors.ts', 'config', 'data', 'contract', 'files'],
  // report: the model card.
  adapter: ['errors.ts', 'config', 'contract', 'files', 'model', 'report'],
  // files: processes of tools are killed at exit.
  hardware: ['files'],
  // report: the model card.
  finetune: [
    ...['errors.ts', 'expert-history.ts', 'format.ts', 'config', 'schedule', 'data'],
    ...['contract', 'files', 'model', 'report', 'track', 'adaptive', 'advice'],
  ],
  // The events of a run.
  track: ['errors.ts', 'expert-use.ts', 'files', 'type:finetune', 'type:contract'],
  generate: ['errors.ts', 'config', 'data', 'contract', 'model'],
  // report: the files of the results.
  judge: [
    ...['errors.ts', 'random.ts', 'statistics.ts', 'config', 'data', 'contract'],
    ...['files', 'generate', 'report'],
  ],
  // report: what it writes to its output folder.
  evaluate: [
    ...['errors.ts', 'json-answer.ts', 'random.ts', 'statistics.ts', 'config', 'contract'],
    ...['data', 'embed', 'files', 'generate', 'model', 'report', 'score'],
  ],
  score: ['config', 'data', 'contract', 'files', 'model'],
  embed: ['config', 'data', 'contract', 'model'],
  // data: the rows that its training measurement learns from.
  bench: [
    'errors.ts',
    'expert-history.ts',
    'format.ts',
    'random.ts',
    'statistics.ts',
    'finetune',
    'generate',
    'config',
    'data',
    'contract',
    'files',
    'hardware',
    'model',
  ],
  // Types only: a report can be drawn without the addon. files: the writer of files. evaluate: the schema of
  // its results.
  report: [
    'errors.ts',
    'escape-html.ts',
    'expert-history.ts',
    'expert-use.ts',
    'format.ts',
    'price.ts',
    'statistics.ts',
    'evaluate',
    'files',
    'type:bench',
    'type:inspect',
    'type:judge',
    'type:raft',
  ],
  // files: processes are killed at exit, and programs without namespaces run in a temporary folder.
  sandbox: ['errors.ts', 'config', 'contract', 'files'],
  verify: ['errors.ts', 'json-answer.ts', 'time-limit.ts', 'config', 'contract', 'sandbox'],
  // bench: the machine, files of readings and power.
  raft: [
    ...['errors.ts', 'statistics.ts', 'config', 'data', 'contract', 'files', 'hardware', 'model'],
    ...['generate', 'finetune', 'verify', 'bench'],
  ],
  advice: ['config', 'data', 'files', 'model'],
  inspect: ['errors.ts', 'config', 'data', 'contract', 'files', 'model'],
  // A submission is made of results and their report.
  community: ['errors.ts', 'format.ts', 'bench', 'files', 'report'],
  // files: what the command line itself writes is checked together with the files of the run.
  cli: ['errors.ts', 'closest.ts', 'format.ts', 'files', 'index.ts'],
  'index.ts': ['*'],
};

/** One source file: its path from the root of its tree ('graph/forward.cpp') and its text. */
export interface SourceFile {
  path: string;
  text: string;
}

/** The longest folder of `path` that has a rule ('cpu/kernels' rather than 'cpu'); else its first part. */
function folderOf(path: string, rules: ImportRules): string {
  const parts = path.split('/');
  const nested = parts.slice(0, 2).join('/');
  return parts.length > 2 && rules[nested] !== undefined ? nested : parts[0]!;
}

/** An import of another folder or of a library. */
interface Import {
  from: string;
  to: string;
  typeOnly: boolean;
  /** '<file>:<line>' */
  place: string;
  /** As the source writes it. */
  specifier: string;
}

function allows(rules: ImportRules, { from, to, typeOnly }: Import): boolean {
  const allowed = rules[from] ?? [];
  return (
    from === to ||
    (allowed.includes('*') && !/^(<|cpu\/)/.test(to)) ||
    allowed.includes(to) ||
    (typeOnly && allowed.includes(`type:${to}`))
  );
}

/** Imports of a tree that no rule permits, and folders without a rule. */
function problems(
  tree: string,
  files: readonly SourceFile[],
  imports: readonly Import[],
  rules: ImportRules,
): string[] {
  const withoutRule = files
    .filter(({ path }) => rules[folderOf(path, rules)] === undefined)
    .map(({ path }) => `${tree}/${path}: no rule for folder ${folderOf(path, rules)}`);
  const forbidden = imports
    .filter((each) => rules[each.from] !== undefined && !allows(rules, each))
    .map(({ place, from, specifier }) => `${place}: ${from} must not import ${specifier}`);
  return [...withoutRule, ...forbidden];
}

/** Permissions of the rules that no import of the whole tree needs. */
function unused(imports: readonly Import[], rules: ImportRules): string[] {
  return Object.entries(rules).flatMap(([from, permissions]) =>
    permissions
      .filter((to) => to !== '*')
      .filter((to) => !imports.some((each) => each.from === from && isNeededFor(to, each)))
      .map((to) => `no file of ${from} imports ${to}: remove the permission`),
  );
}

const isNeededFor = (permission: string, { to, typeOnly }: Import): boolean =>
  permission === (typeOnly && permission.startsWith('type:') ? `type:${to}` : to);

function nativeImports(files: readonly SourceFile[], rules: ImportRules): Import[] {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index): Import[] => {
      const include = /^\s*#\s*include\s*(["<])([^">]+)[">]/.exec(line);
      if (include === null) return [];
      const [, quote, specifier] = include as unknown as [string, string, string];
      const library = LIBRARIES.find(([, header]) => header.test(specifier))?.[0];
      const isLocal = quote === '"' && specifier.includes('/') && !specifier.startsWith('./');
      const to =
        library ?? (isLocal ? folderOf(resolveInclude(path, specifier), rules) : undefined);
      if (to === undefined || (library === undefined && rules[to] === undefined)) return [];
      const place = `native/${path}:${index + 1}`;
      return [{ from: folderOf(path, rules), to, typeOnly: false, place, specifier }];
    }),
  );
}

/** Violations of the native tree: '<file>:<line>: <what>'. */
export const nativeViolations = (files: readonly SourceFile[], rules = NATIVE_RULES): string[] =>
  problems('native', files, nativeImports(files, rules), rules);

/** Permissions of the native tree that nothing uses. */
export const unusedNativePermissions = (
  files: readonly SourceFile[],
  rules = NATIVE_RULES,
): string[] => unused(nativeImports(files, rules), rules);

function resolveInclude(path: string, header: string): string {
  if (!header.startsWith('../')) return header;
  return resolve(path, header);
}

function sourceImports(files: readonly SourceFile[], rules: ImportRules): Import[] {
  return files.flatMap(({ path, text }) =>
    importsOf(text)
      .filter(({ specifier }) => specifier.startsWith('.'))
      .map(({ specifier, typeOnly, line }) => ({
        from: folderOf(path, rules),
        to: folderOf(resolve(path, specifier), rules).replace(/\.js$/, '.ts'),
        typeOnly,
        place: `src/${path}:${line}`,
        specifier,
      })),
  );
}

/** Violations of the TypeScript tree. */
export const sourceViolations = (files: readonly SourceFile[], rules = SOURCE_RULES): string[] =>
  problems('src', files, sourceImports(files, rules), rules);

/** Permissions of the TypeScript tree that nothing uses. */
export const unusedSourcePermissions = (
  files: readonly SourceFile[],
  rules = SOURCE_RULES,
): string[] => unused(sourceImports(files, rules), rules);

interface ImportStatement {
  specifier: string;
  typeOnly: boolean;
  line: number;
}

/** import … from, export … from, import '…', import('…') and typeof import('…'). */
export function importsOf(text: string): ImportStatement[] {
  const pattern =
    /\b(import|export)\s+(type\s+)?(?:[\w$*\s{},]+?\s+from\s+)?['"]([^'"]+)['"]|\bimport\s*\(\s*['"]([^'"]+)['"]/g;
  return Array.from(text.matchAll(pattern), (match) => ({
    specifier: (match[3] ?? match[4])!,
    typeOnly: match[2] !== undefined,
    line: text.slice(0, match.index).split('\n').length,
  }));
}

/** `target` as seen from the folder of `path`, from the root of the tree. */
function resolve(path: string, target: string): string {
  const parts = path.split('/').slice(0, -1);
  for (const part of target.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/** Files outside of native/cpu that are compiled differently with and without oneDNN. */
export function filesThatKnowOnednn(files: readonly SourceFile[]): string[] {
  const condition = /^\s*#\s*(if|ifdef|ifndef|elif)\b.*(ONEDNN|DNNL)/m;
  return files
    .filter(({ path, text }) => !path.startsWith('cpu/') && condition.test(text))
    .map(({ path }) => path)
    .sort();
}
