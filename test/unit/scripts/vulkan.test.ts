import { describe, expect, it } from 'vitest';
// @ts-expect-error: the build's scripts are plain JavaScript
import * as apt from '../../../scripts/apt-packages.mjs';
// @ts-expect-error: the build's scripts are plain JavaScript
import * as vulkan from '../../../scripts/vulkan.mjs';

describe('the Vulkan headers', () => {
  it('are new enough from 1.3.272 on', () => {
    for (const version of ['1.3.272', '1.3.275.0-1build1', '1.4.309.0-1', '2.0']) {
      expect(vulkan.isNewEnough(version), version).toBe(true);
    }
    for (const version of ['1.3.239.0-1', '1.2.999', '', undefined]) {
      expect(vulkan.isNewEnough(version), String(version)).toBe(false);
    }
  });

  it('contain their version', () => {
    const text = `#define VK_HEADER_VERSION 309
#define VK_HEADER_VERSION_COMPLETE VK_MAKE_API_VERSION(0, 1, 4, VK_HEADER_VERSION)`;
    expect(vulkan.headerVersion(text)).toBe('1.4.309');
    expect(vulkan.headerVersion('')).toBe('');
  });

  it('come from a later release of the same source, never from its updates', () => {
    const targets = [
      'http://mirror/debian/\tbookworm\tbookworm\tmain',
      'http://mirror/debian/\tbookworm-updates\tbookworm-updates\tmain',
      'http://other/\tstable\tother\tmain',
    ].join('\n');
    expect(apt.sourcesOf(targets, 'bookworm', 'trixie', '/keys.gpg')).toBe(
      'Types: deb\nURIs: http://mirror/debian/\nSuites: trixie\nComponents: main\nSigned-By: /keys.gpg\n',
    );
    expect(apt.sourcesOf(targets, 'noble', 'plucky')).toBe('');
  });
});

describe('the requirements of a build with Vulkan', () => {
  const nothing = {
    prefixes: ['/usr'],
    searchPath: '/usr/bin',
    exists: () => false,
    read: () => '',
  };

  it('is named whole', () => {
    expect(vulkan.missing(nothing)).toHaveLength(4);
    const all = {
      ...nothing,
      exists: () => true,
      read: () =>
        '#define VK_HEADER_VERSION 309\n VK_HEADER_VERSION_COMPLETE VK_MAKE_API_VERSION(0, 1, 4, VK_HEADER_VERSION)',
    };
    expect(vulkan.missing(all)).toEqual([]);
  });

  it('is fetched, or an error where Vulkan was asked for, or a warning', () => {
    const lacks = () => ['the compiler glslc'];
    const warnings: string[] = [];
    const machine = { platform: 'linux', lacks, warn: (text: string) => warnings.push(text) };
    const made = vulkan.vulkanOptions('ON', { ...machine, fetch: () => ({ folder: '/v' }) });
    expect(made).toMatchObject({ Vulkan_GLSLC_EXECUTABLE: expect.stringContaining('glslc') });
    const fetch = () => ({ reason: 'no network' });
    expect(() => vulkan.vulkanOptions('ON', { ...machine, fetch })).toThrow(/glslc.*no network/);
    expect(vulkan.vulkanOptions('AUTO', { ...machine, fetch })).toEqual({});
    expect(warnings).toHaveLength(1);
    expect(vulkan.vulkanOptions('OFF', { ...machine, fetch })).toEqual({});
  });
});
