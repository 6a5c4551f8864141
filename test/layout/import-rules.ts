/** What each folder may import besides itself. ARCHITECTURE.md describes the same house in words. */
export type ImportRules = Readonly<Record<string, readonly string[]>>;

export const NATIVE_RULES: ImportRules = {
  core: [],
  gguf: ['core'],
  backends: ['core', 'cpu/device'],
  model: ['core', 'gguf', 'backends'],
  'model-tools': ['core', 'gguf', 'model'],
  adapter: ['core', 'gguf', 'model'],
  data: ['core'],
  graph: ['core', 'model', 'data'],
  'autodiff/engine': ['core', 'backends', 'autodiff/rules', 'autodiff/scan'],
  'autodiff/rules': ['core', 'autodiff/engine', 'autodiff/scan'],
  'autodiff/scan': ['autodiff/engine', 'autodiff/rules'],
  cpu: ['core'],
  'cpu/kernels': ['core'],
  'cpu/fusion': ['cpu/kernels', 'autodiff/engine'],
  'cpu/device': ['core', 'cpu/kernels'],
  loss: [],
  optim: ['core'],
  train: [
    'core',
    'backends',
    'model',
    'model-tools',
    'adapter',
    'data',
    'graph',
    'autodiff/engine',
    'cpu',
    'cpu/fusion',
    'cpu/kernels',
    'loss',
    'optim',
  ],
  generate: ['core', 'gguf', 'model'],
  bench: ['core', 'train', 'generate', 'cpu/kernels'],
  binding: ['*'],
  'addon.cpp': ['binding'],
  'addon-variants.cpp': [],
};

/**
 * Folders that may include llama.cpp's own headers (ggml's are open to all). bench times bare
 * `llama_decode` calls, without the sampling around them that generate adds.
 */
export const LLAMA_FOLDERS: readonly string[] = [
  'gguf',
  'model',
  'model-tools',
  'adapter',
  'graph',
  'generate',
  'bench',
];
/** Folders that may include Node-API headers. */
export const NAPI_FOLDERS: readonly string[] = ['binding', 'addon.cpp', 'addon-variants.cpp'];

export const SOURCE_RULES: ImportRules = {
  'errors.ts': [],
  'closest.ts': [],
  config: ['errors.ts', 'closest.ts'],
  schedule: ['errors.ts'],
  // data checks rows with the schemas of config/dataset-row.ts.
  data: ['errors.ts', 'config'],
  // Types only: the addon takes configurations as they are.
  contract: ['errors.ts', 'type:config'],
  model: ['errors.ts', 'config', 'data', 'contract'],
  finetune: ['errors.ts', 'config', 'schedule', 'data', 'contract', 'model'],
  generate: ['errors.ts', 'config', 'data', 'contract', 'model'],
  // data: the rows that its training measurement learns from.
  bench: ['finetune', 'config', 'data', 'contract', 'model'],
  // Types only: a report can be drawn without the addon.
  report: ['errors.ts', 'type:bench', 'type:finetune'],
  cli: ['errors.ts', 'closest.ts', 'index.ts'],
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

function allows(rules: ImportRules, from: string, to: string, typeOnly: boolean): boolean {
  const allowed = rules[from];
  if (allowed === undefined) return false;
  return (
    from === to ||
    allowed.includes('*') ||
    allowed.includes(to) ||
    (typeOnly && allowed.includes(`type:${to}`))
  );
}

/** Violations of the native tree: '<file>:<line>: <what>'. */
export function nativeViolations(files: readonly SourceFile[], rules = NATIVE_RULES): string[] {
  const folders = new Set(Object.keys(rules));
  return files.flatMap(({ path, text }) => {
    const from = folderOf(path, rules);
    if (!folders.has(from)) return [`native/${path}: no rule for folder ${from}`];
    return text.split('\n').flatMap((line, index) => {
      const include = /^\s*#\s*include\s*(["<])([^">]+)[">]/.exec(line);
      if (include === null) return [];
      const [, quote, header] = include as unknown as [string, string, string];
      const place = `native/${path}:${index + 1}`;
      if (isNodeHeader(header)) {
        return NAPI_FOLDERS.includes(from) ? [] : [`${place}: ${from} must not include ${header}`];
      }
      if (isLlamaHeader(header)) {
        return LLAMA_FOLDERS.includes(from) || from === 'binding'
          ? []
          : [`${place}: ${from} must not include ${header}`];
      }
      if (quote !== '"' || !header.includes('/') || header.startsWith('./')) return [];
      const to = folderOf(resolveInclude(path, header), rules);
      if (!folders.has(to)) return [];
      return allows(rules, from, to, false) ? [] : [`${place}: ${from} must not include ${header}`];
    });
  });
}

const isNodeHeader = (header: string): boolean => /^(napi|node_api|js_native_api)/.test(header);

/** llama.cpp's private headers are all 'llama….h' or 'models/….h', wherever they lie. */
const isLlamaHeader = (header: string): boolean =>
  /(^|\/)llama[\w.-]*\.h(pp)?$/.test(header) || header === 'models/models.h';

function resolveInclude(path: string, header: string): string {
  if (!header.startsWith('../')) return header;
  return resolve(path, header);
}

/** Violations of the TypeScript tree. */
export function sourceViolations(files: readonly SourceFile[], rules = SOURCE_RULES): string[] {
  return files.flatMap(({ path, text }) => {
    const from = folderOf(path, rules);
    if (rules[from] === undefined) return [`src/${path}: no rule for folder ${from}`];
    return importsOf(text).flatMap(({ specifier, typeOnly, line }) => {
      if (!specifier.startsWith('.')) return [];
      const to = folderOf(resolve(path, specifier), rules).replace(/\.js$/, '.ts');
      return allows(rules, from, to, typeOnly)
        ? []
        : [`src/${path}:${line}: ${from} must not import ${specifier}`];
    });
  });
}

interface Import {
  specifier: string;
  typeOnly: boolean;
  line: number;
}

/** import … from, export … from, import '…', import('…') and typeof import('…'). */
export function importsOf(text: string): Import[] {
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

/** Files of more than `limit` lines. */
export function longFiles(files: readonly SourceFile[], limit: number): string[] {
  return files.flatMap(({ path, text }) => {
    const lines = text.replace(/\n$/, '').split('\n').length;
    return lines > limit ? [`${path}: ${lines} lines, more than ${limit}`] : [];
  });
}
