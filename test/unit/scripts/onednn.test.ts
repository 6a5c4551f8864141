import { describe, expect, it } from 'vitest';
// @ts-expect-error: the build's scripts are plain JavaScript
import * as onednn from '../../../scripts/onednn.mjs';

const { installedPrefix, onednnOptions, packagesToFetch, parseDependencies, parsePackage } = onednn;

// What `apt-cache show --no-all-versions` says, without the fields about size and origin.
const debian12 = {
  'libdnnl-dev': `Package: libdnnl-dev
Source: onednn
Version: 2.6.3-1
Installed-Size: 1004
Maintainer: Debian Deep Learning Team <debian-ai@lists.debian.org>
Architecture: amd64
Replaces: libmkldnn-dev
Depends: libdnnl2 (= 2.6.3-1)
Recommends: ocl-icd-opencl-dev
Breaks: libmkldnn-dev
Description: oneAPI Deep Neural Network Library (oneDNN) (dev)
Description-md5: 76fea4cfd2eae41d6bfe9305c6ad6a1b
Multi-Arch: same
Filename: pool/main/o/onednn/libdnnl-dev_2.6.3-1_amd64.deb

`,
  libdnnl2: `Package: libdnnl2
Source: onednn
Version: 2.6.3-1
Architecture: amd64
Depends: libc6 (>= 2.34), libgcc-s1 (>= 3.4), libgomp1 (>= 4.9), libstdc++6 (>= 12.2.0-10), ocl-icd-libopencl1 | libopencl1, ocl-icd-libopencl1 (>= 1.0) | libopencl-1.2-1
Breaks: libmkldnn1
Filename: pool/main/o/onednn/libdnnl2_2.6.3-1_amd64.deb

`,
  'ocl-icd-libopencl1': `Package: ocl-icd-libopencl1
Source: ocl-icd
Version: 2.3.1-1
Architecture: amd64
Provides: libopencl-1.1-1, libopencl-1.2-1, libopencl-2.0-1, libopencl1
Depends: libc6 (>= 2.34)
Suggests: opencl-icd
Filename: pool/main/o/ocl-icd/ocl-icd-libopencl1_2.3.1-1_amd64.deb

`,
};
const debian13 = {
  'libdnnl-dev': `Package: libdnnl-dev
Source: onednn
Version: 3.7.2+ds-2
Architecture: amd64
Depends: libdnnl3.6 (= 3.7.2+ds-2)
Breaks: libmkldnn-dev
Tag: devel::library, role::devel-lib
Filename: pool/main/o/onednn/libdnnl-dev_3.7.2+ds-2_amd64.deb

`,
  'libdnnl3.6': `Package: libdnnl3.6
Source: onednn
Version: 3.7.2+ds-2
Architecture: amd64
Depends: libc6 (>= 2.38), libgcc-s1 (>= 3.3.1), libgomp1 (>= 4.9), libstdc++6 (>= 14)
Filename: pool/main/o/onednn/libdnnl3.6_3.7.2+ds-2_amd64.deb

`,
};
const ubuntu2404 = {
  'libdnnl-dev': `Package: libdnnl-dev
Architecture: amd64
Version: 3.1.1-2
Section: universe/libdevel
Origin: Ubuntu
Depends: libdnnl3 (= 3.1.1-2)

Package: libdnnl-dev
Architecture: amd64
Version: 3.1.1-1
Depends: libdnnl2 (= 3.1.1-1)

`,
  libdnnl3: `Package: libdnnl3
Architecture: amd64
Version: 3.1.1-2
Depends: libc6 (>= 2.38), libgcc-s1 (>= 3.0), libgomp1 (>= 4.9), libstdc++6 (>= 13.1)

`,
};
const showing = (packages: Record<string, string>) => (name: string) => packages[name] ?? '';

describe('the packages of oneDNN', () => {
  it('are those of Debian 12, with what the library links to', () => {
    expect(packagesToFetch(showing(debian12))).toEqual([
      { name: 'libdnnl-dev', version: '2.6.3-1' },
      { name: 'libdnnl2', version: '2.6.3-1' },
      { name: 'ocl-icd-libopencl1', version: '2.3.1-1' },
    ]);
  });

  it('are those of Debian 13 and Ubuntu 24.04, whose names differ', () => {
    expect(packagesToFetch(showing(debian13))).toEqual([
      { name: 'libdnnl-dev', version: '3.7.2+ds-2' },
      { name: 'libdnnl3.6', version: '3.7.2+ds-2' },
    ]);
    expect(packagesToFetch(showing(ubuntu2404))).toEqual([
      { name: 'libdnnl-dev', version: '3.1.1-2' },
      { name: 'libdnnl3', version: '3.1.1-2' },
    ]);
  });

  it('are none where no source has them, or not all of them', () => {
    expect(packagesToFetch(showing({}))).toEqual([]);
    const { libdnnl2: _, ...incomplete } = debian12;
    expect(packagesToFetch(showing(incomplete))).toEqual([]);
  });

  it('are read from the first paragraph', () => {
    expect(parsePackage(ubuntu2404['libdnnl-dev'])).toMatchObject({ Version: '3.1.1-2' });
    expect(parsePackage('')).toEqual({});
  });

  it('come without versions, architectures and alternatives', () => {
    expect(parseDependencies('a (>= 1), b:any (= 2) | c, d|e , a')).toEqual(['a', 'b', 'd']);
    expect(parseDependencies(undefined)).toEqual([]);
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
