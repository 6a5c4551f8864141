/**
 * Downloads Debian and Ubuntu packages with apt, using the sources and proxies of this machine and checking apt's
 * signatures. Needs no root and installs nothing.
 */
import fs from 'node:fs';
import path from 'node:path';
import { run } from './fetched-folder.mjs';

/** The fields of the first paragraph of `apt-cache show`. */
export function parsePackage(text) {
  const fields = {};
  for (const line of text.split('\n')) {
    if (line === '' && Object.keys(fields).length > 0) break;
    const field = /^([\w-]+): (.*)$/.exec(line);
    if (field) fields[field[1]] = field[2];
  }
  return fields;
}

/** Package names of a Depends field; the first of several alternatives, which is the one that exists. */
export function parseDependencies(depends = '') {
  const names = depends
    .split(',')
    .map(
      (item) =>
        item
          .split('|')[0]
          .trim()
          .split(/[\s(:]/)[0],
    )
    .filter(Boolean);
  return [...new Set(names)];
}

/**
 * A package and all its dependencies, except those that `skip` names. Names differ between releases, so they are looked up.
 *
 * @param {string} first
 * @param {(name: string) => string} show `apt-cache show` of a package; '' if there is no such package.
 * @returns {{ name: string, version: string }[]} Empty when there is no such package.
 */
export function withDependencies(first, show, skip) {
  const found = [];
  const wanted = [first];
  for (const name of wanted) {
    const { Package, Version, Depends } = parsePackage(show(name));
    if (Package !== name) return [];
    found.push({ name, version: Version });
    for (const next of parseDependencies(Depends)) {
      if (!wanted.includes(next) && !skip(next)) wanted.push(next);
    }
  }
  return found;
}

/** The Debian name of this processor's architecture. */
export const debianArchitecture = () => ({ x64: 'amd64', arm64: 'arm64' })[process.arch];

/** A field of /etc/os-release, or '' if it is missing. */
export function osRelease(name) {
  let release = '';
  try {
    release = fs.readFileSync('/etc/os-release', 'utf8');
  } catch {}
  return new RegExp(`^${name}="?([^"\n]*)`, 'm').exec(release)?.[1] ?? '';
}

/**
 * Identifies this system: a folder shared with a container may contain packages of another release, which may not load
 * here.
 */
export const thisSystem = () => `${osRelease('ID')} ${osRelease('VERSION_ID')} ${process.arch}`;

const succeeded = ({ status, stdout }) => (status === 0 ? stdout.trim() : '');

/** The first required tool that is missing, or undefined. */
export const missingAptTool = () =>
  ['apt-get', 'dpkg-deb'].find((tool) => run(tool, ['--version']).status !== 0);

/**
 * Changes apt's settings so that nothing of the system is written, and only package lists are downloaded, not those of
 * translations, files and screenshots. All other settings stay as they are.
 */
const aptConfiguration = (folder, architecture, { lists, sources }) => `
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Architectures;
#clear Acquire::IndexTargets;
APT::Architecture "${architecture}";
APT::Architectures { "${architecture}"; };
APT::Sandbox::User "root";
Debug::NoLocking "true";
Dir::Cache "${folder}/cache";
${lists ? `Dir::State::Lists "${lists}";` : ''}
${sources ? `Dir::Etc::SourceList "${sources}";\nDir::Etc::SourceParts "/dev/null";` : ''}
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "5";
Acquire::https::Timeout "5";
Acquire::IndexTargets::deb::Packages {
  MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Packages";
  flatMetaKey "Packages";
  ShortDescription "Packages";
  Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Packages";
  flatDescription "$(RELEASE) Packages";
  Optional "false";
};
`;

/**
 * apt sources for another release: the sources of this machine's release, with the name of the release replaced.
 *
 * @param {string} targets Lines "address\trelease\tcodename\tcomponent" of the configured sources.
 * @param {string} [keys] The key file of the distribution, if apt's default keys are not enough.
 * @returns {string} Text of a .sources file; '' if no source is of this release.
 */
export function sourcesOf(targets, own, release, keys) {
  const found = new Map();
  for (const line of targets.split('\n')) {
    const [address, suite, codename, component] = line.split('\t');
    if (suite !== own && codename !== own) continue;
    if (/-/.test(suite)) continue; // updates, security, backports
    found.set(address, (found.get(address) ?? new Set()).add(component));
  }
  return [...found]
    .map(([address, components]) =>
      [
        'Types: deb',
        `URIs: ${address}`,
        `Suites: ${release}`,
        `Components: ${[...components].join(' ')}`,
        ...(keys ? [`Signed-By: ${keys}`] : []),
        '',
      ].join('\n'),
    )
    .join('\n');
}

function writeSources(folder, architecture, release) {
  const configuration = path.join(folder, 'targets.conf');
  fs.writeFileSync(configuration, aptConfiguration(folder, architecture, {}));
  const format = '$(REPO_URI)\t$(RELEASE)\t$(CODENAME)\t$(COMPONENT)';
  const targets = run('apt-get', ['-c', configuration, 'indextargets', '--format', format]);
  const keys = `/usr/share/keyrings/${osRelease('ID')}-archive-keyring.gpg`;
  const known = fs.existsSync(keys) ? keys : undefined;
  const text = sourcesOf(succeeded(targets), osRelease('VERSION_CODENAME'), release, known);
  if (!text) return undefined;
  const file = path.join(folder, `${release}.sources`);
  fs.writeFileSync(file, text);
  return file;
}

function firstProblem({ stderr, error, signal }) {
  if (error) return error.message;
  if (signal) return `apt-get ended by ${signal}`;
  const line = stderr.split('\n').find((text) => /^[EW]: /.test(text));
  return line?.slice(3) ?? 'apt-get failed';
}

/**
 * Downloads the .deb files of some packages, or returns the reason why that failed.
 *
 * @param {string} folder Folder for the downloads and for apt's files.
 * @param {object} request
 * @param {(show: (name: string) => string) => { name: string, version: string }[]} request.choose Chooses the packages,
 *   given `apt-cache show`.
 * @param {string} request.missing What to name in the reason if it chooses none.
 * @param {string} [request.release] A release other than that of this system.
 */
export function download(folder, architecture, { choose, missing, release }) {
  let reason = '';
  const problems = [];
  const sources = release ? writeSources(folder, architecture, release) : undefined;
  if (release && !sources) {
    return {
      reason: `apt has no source for ${osRelease('VERSION_CODENAME') || 'this release'}`,
    };
  }
  const ownLists = path.join(folder, `lists${release ? `-${release}` : ''}`);
  // First with the package lists of the system, then with downloaded lists.
  for (const lists of release ? [ownLists] : ['', ownLists]) {
    const configuration = path.join(folder, lists ? 'own.conf' : 'system.conf');
    fs.writeFileSync(configuration, aptConfiguration(folder, architecture, { lists, sources }));
    const apt = (command, args, cwd) => run(command, ['-c', configuration, '-q', ...args], { cwd });
    const debs = path.join(folder, `debs${release ? `-${release}` : ''}`);
    for (const made of [debs, path.join(folder, 'cache', 'archives', 'partial')]) {
      fs.mkdirSync(made, { recursive: true });
    }
    if (lists) {
      fs.mkdirSync(path.join(lists, 'partial'), { recursive: true });
      // A source that cannot be reached does not matter if another one has the packages, so continue.
      const updated = apt('apt-get', ['update']);
      if (updated.status !== 0 || /^[EW]: /m.test(updated.stderr)) problems.push(updated);
    }
    const packages = choose((name) =>
      succeeded(apt('apt-cache', ['show', '--no-all-versions', name])),
    );
    if (packages.length === 0) {
      reason = `no apt source has ${missing}`;
      continue;
    }
    const got = apt('apt-get', ['download', ...packages.map(({ name }) => name)], debs);
    if (got.status === 0) return { debs, packages };
    reason = firstProblem(got);
  }
  return { reason: problems.length > 0 ? firstProblem(problems[0]) : reason };
}

/** Unpacks all .deb files of a folder; returns the reason why that failed, or undefined. */
export function unpack(debs, target) {
  for (const deb of fs.readdirSync(debs)) {
    const result = run('dpkg-deb', ['-x', path.join(debs, deb), target]);
    if (result.status !== 0) return `${deb} could not be unpacked`;
  }
  return undefined;
}
