import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
// @ts-expect-error: the build's scripts are plain JavaScript
import * as onednn from '../../../scripts/onednn.mjs';

const { fetchOnednn, installedPrefix, onednnOptions, onednnPin } = onednn;

const hasPip = spawnSync('python3', ['-m', 'pip', '--version']).status === 0;
const platform = `${process.platform}-${process.arch}`;

describe('the pinned oneDNN', () => {
  it('is named by version, package and hash', () => {
    expect(onednnPin.version).toMatch(/^\d+\.\d+\.\d+$/);
    for (const file of Object.values(onednnPin.files).flat()) {
      expect(file).toEqual({
        package: expect.stringMatching(/^[\w-]+==[\d.]+$/),
        sha256: expect.stringMatching(/^[\da-f]{64}$/),
      });
    }
  });

  it('is not fetched for a platform without a pin', () => {
    const folder = join(tmpdir(), 'llamatune-no-onednn');
    const { reason } = fetchOnednn({ folder, pin: { ...onednnPin, files: {} } });
    expect(reason).toBe(`no version of it is pinned for ${platform}`);
    expect(existsSync(folder)).toBe(false);
  });
});

describe.runIf(hasPip)('fetching oneDNN with pip', () => {
  const root = mkdtempSync(join(tmpdir(), 'llamatune-onednn-'));
  const wheels = join(root, 'wheels');
  const folder = join(root, 'vendor', 'onednn');
  const log = () => {};

  /** A wheel with these files under its data folder; returns how a pin names it. */
  function makeWheel(name: string, files: Record<string, string>) {
    const source = join(root, name);
    const info = `${name}-1.0.dist-info`;
    const texts: Record<string, string> = {
      [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0\n`,
      [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
      [`${info}/RECORD`]: '',
    };
    for (const [file, text] of Object.entries(files)) texts[`${name}-1.0.data/data/${file}`] = text;
    for (const [file, text] of Object.entries(texts)) {
      mkdirSync(dirname(join(source, file)), { recursive: true });
      writeFileSync(join(source, file), text);
    }
    const wheel = join(wheels, `${name}-1.0-py3-none-any.whl`);
    const zip = spawnSync('python3', ['-m', 'zipfile', '-c', wheel, ...readdirSync(source)], {
      cwd: source,
    });
    expect(zip.status).toBe(0);
    const sha256 = createHash('sha256').update(readFileSync(wheel)).digest('hex');
    return { package: `${name}==1.0`, sha256 };
  }

  let packages: { package: string; sha256: string }[];
  const pinOf = (files: object) => ({
    name: 'oneDNN',
    version: '3.2.0',
    files: { [platform]: files },
  });

  beforeAll(() => {
    mkdirSync(wheels, { recursive: true });
    packages = [
      makeWheel('llamatune_test_dnnl', {
        'lib/libdnnl.so': 'library',
        'lib/libdnnl.so.3': 'library',
        'share/doc/onednn/LICENSE': 'license',
      }),
      makeWheel('llamatune_test_dnnl_devel', { 'include/dnnl.hpp': 'header' }),
    ];
    vi.stubEnv('PIP_NO_INDEX', '1');
    vi.stubEnv('PIP_FIND_LINKS', wheels);
  });
  afterEach(() => rmSync(dirname(folder), { recursive: true, force: true }));
  afterAll(() => {
    vi.unstubAllEnvs();
    rmSync(root, { recursive: true, force: true });
  });

  it('lays out headers, the library by its soname and the license, with the user’s pip settings', () => {
    expect(fetchOnednn({ folder, pin: pinOf(packages), log })).toEqual({ folder });
    expect(readFileSync(join(folder, 'include/dnnl.hpp'), 'utf8')).toBe('header');
    expect(readdirSync(join(folder, 'lib'))).toEqual(['libdnnl.so.3']);
    expect(readFileSync(join(folder, 'licenses/oneDNN.txt'), 'utf8')).toBe('license');
    expect(readdirSync(dirname(folder))).toEqual(['onednn']);
  });

  it('is done once, and again after a change of the pin', () => {
    const said: string[] = [];
    const fetch = (pin: object) =>
      fetchOnednn({ folder, pin, log: (text: string) => said.push(text) });
    fetch(pinOf(packages));
    const first = said.length;
    fetch(pinOf(packages));
    expect(said).toHaveLength(first);
    fetch({ ...pinOf(packages), version: '3.2.1' });
    expect(said.length).toBeGreaterThan(first);
  });

  it('refuses a file with another hash, and leaves nothing behind', () => {
    const other = [{ ...packages[0], sha256: '0'.repeat(64) }, packages[1]];
    const { reason } = fetchOnednn({ folder, pin: pinOf(other), log });
    expect(reason).toMatch(/^pip: .*(HASH|hash)/);
    expect(readdirSync(dirname(folder))).toEqual([]);
  });
});

describe('an installed oneDNN', () => {
  const machine = (files: string[], rest: object = {}) => ({
    env: {},
    platform: 'linux',
    exists: (file: string) => files.includes(file),
    ...rest,
  });
  const debian = ['/usr/include/dnnl.hpp', '/usr/lib/x86_64-linux-gnu/libdnnl.so'];

  it('is found where systems put it', () => {
    expect(installedPrefix(machine(debian))).toBe('/usr');
    expect(
      installedPrefix(machine(['/usr/local/include/dnnl.hpp', '/usr/local/lib/libdnnl.so'])),
    ).toBe('/usr/local');
  });

  it('is not there without its library or its headers', () => {
    expect(installedPrefix(machine([]))).toBeUndefined();
    for (const file of debian) expect(installedPrefix(machine([file]))).toBeUndefined();
  });

  it('is first looked for where the environment says', () => {
    const files = [...debian, '/opt/dnn/include/dnnl.hpp', '/opt/dnn/lib64/libdnnl.so'];
    expect(installedPrefix(machine(files, { env: { DNNL_ROOT: '/opt/dnn' } }))).toBe('/opt/dnn');
    expect(installedPrefix(machine(files, { env: { CMAKE_PREFIX_PATH: '/a:/opt/dnn' } }))).toBe(
      '/opt/dnn',
    );
    expect(installedPrefix(machine(files, { env: { DNNL_ROOT: '/nowhere' } }))).toBe('/usr');
  });

  it('may be Homebrew’s', () => {
    const prefix = '/opt/homebrew/opt/onednn';
    const files = [`${prefix}/include/dnnl.hpp`, `${prefix}/lib/libdnnl.dylib`];
    const mac = { platform: 'darwin', brew: () => prefix };
    expect(installedPrefix(machine(files, mac))).toBe(prefix);
    expect(installedPrefix(machine([], { ...mac, brew: () => '' }))).toBeUndefined();
  });
});

describe('a build’s options', () => {
  const without = {
    LLAMATUNE_ONEDNN: 'OFF',
    LLAMATUNE_ONEDNN_ROOT: '',
    LLAMATUNE_ONEDNN_FETCHED: '',
  };
  const never = () => {
    throw new Error('expected no fetching');
  };
  const request = (rest: object) => {
    const warnings: string[] = [];
    const options = onednnOptions({
      wanted: '',
      installed: () => undefined,
      fetch: never,
      warn: (text: string) => warnings.push(text),
      ...rest,
    });
    return { options, warnings };
  };

  it('take what is installed', () => {
    expect(request({ installed: () => '/usr' })).toEqual({
      options: { ...without, LLAMATUNE_ONEDNN: 'AUTO', LLAMATUNE_ONEDNN_ROOT: '/usr' },
      warnings: [],
    });
  });

  it('take what was fetched, always so for a binary that travels', () => {
    const options = { ...without, LLAMATUNE_ONEDNN: 'AUTO', LLAMATUNE_ONEDNN_FETCHED: '/f' };
    const fetch = () => ({ folder: '/f' });
    expect(request({ fetch })).toEqual({ options, warnings: [] });
    expect(request({ fetch, bundled: true, installed: () => '/usr' })).toEqual({
      options,
      warnings: [],
    });
  });

  it('go on without it, and say what that costs and what to do', () => {
    const { options, warnings } = request({ fetch: () => ({ reason: 'no network' }) });
    expect(options).toEqual(without);
    expect(warnings).toHaveLength(1);
    for (const part of ['no network', 'ten times slower', 'LLAMATUNE_ONEDNN=off']) {
      expect(warnings[0]).toContain(part);
    }
  });

  it('leave it out when asked to', () => {
    expect(request({ wanted: 'off', installed: () => '/usr' })).toEqual({
      options: without,
      warnings: [],
    });
  });

  it('fail when it is asked for and not there', () => {
    expect(() => request({ wanted: 'on', fetch: () => ({ reason: 'no network' }) })).toThrow(
      /no network/,
    );
    expect(() => request({ wanted: 'maybe' })).toThrow(/expected LLAMATUNE_ONEDNN/);
  });
});
