import { describe, expect, it } from 'vitest';
// @ts-expect-error: the build's scripts are plain JavaScript
import * as apt from '../../../scripts/apt-packages.mjs';

const { parseDependencies, parsePackage, withDependencies } = apt;

// From `apt-cache show --no-all-versions`, without the fields about size and origin.
const packages: Record<string, string> = {
  'libdnnl-dev': `Package: libdnnl-dev
Source: onednn
Version: 2.6.3-1
Installed-Size: 1004
Depends: libdnnl2 (= 2.6.3-1)
Recommends: ocl-icd-opencl-dev
Description: oneAPI Deep Neural Network Library (oneDNN) (dev)
Multi-Arch: same

Package: libdnnl-dev
Version: 2.6.2-1
Depends: libdnnl1

`,
  libdnnl2: `Package: libdnnl2
Source: onednn
Version: 2.6.3-1
Depends: libc6 (>= 2.34), libgomp1 (>= 4.9), ocl-icd-libopencl1 | libopencl1, ocl-icd-libopencl1 (>= 1.0) | libopencl-1.2-1

`,
  'ocl-icd-libopencl1': `Package: ocl-icd-libopencl1
Version: 2.3.1-1
Provides: libopencl-1.1-1, libopencl-1.2-1, libopencl-2.0-1, libopencl1
Depends: libc6 (>= 2.34)

`,
};
const found = (known: Record<string, string>) =>
  withDependencies(
    'libdnnl-dev',
    (name: string) => known[name] ?? '',
    (name: string) => /^(libc6|libgomp1)$/.test(name),
  );

describe('a package with its dependencies', () => {
  it('is all that it needs, without what is to be skipped', () => {
    expect(found(packages)).toEqual([
      { name: 'libdnnl-dev', version: '2.6.3-1' },
      { name: 'libdnnl2', version: '2.6.3-1' },
      { name: 'ocl-icd-libopencl1', version: '2.3.1-1' },
    ]);
  });

  it('is nothing where a part of it does not exist', () => {
    expect(found({})).toEqual([]);
    const { libdnnl2: _, ...incomplete } = packages;
    expect(found(incomplete)).toEqual([]);
  });

  it('is read from the first paragraph', () => {
    expect(parsePackage(packages['libdnnl-dev'])).toMatchObject({ Version: '2.6.3-1' });
    expect(parsePackage('')).toEqual({});
  });

  it('leaves out versions, architectures and alternatives', () => {
    expect(parseDependencies('a (>= 1), b:any (= 2) | c, d|e , a')).toEqual(['a', 'b', 'd']);
    expect(parseDependencies(undefined)).toEqual([]);
  });
});
