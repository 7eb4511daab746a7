import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { cacheFolder } from '../support/cache';
import { progress } from '../support/table';

/** A package that is measured beside ours. Never a dependency of the product: the benchmark installs it. */
export interface Peer {
  readonly name: string;
  readonly version: string;
  /** What it declares as a peer dependency. */
  readonly needs: Readonly<Record<string, string>>;
}

export const SUPABASE_ENGINE: Peer = {
  name: '@supabase/stripe-sync-engine',
  version: '0.48.5',
  needs: { stripe: '23.1.0' },
};
export const STRIPE_ENGINE: Peer = { name: '@stripe/sync-engine', version: '1.0.32', needs: {} };

const INSTALL_TIMEOUT_MS = 3 * 60_000;

/**
 * Installs a peer, once, without running its install scripts, and returns a `require` that resolves inside its own
 * `node_modules`; or `undefined`, loudly, when it cannot be had.
 */
export function installPeer({ name, version, needs }: Peer): NodeJS.Require | undefined {
  const parent = cacheFolder('bench-peers');
  const folder = join(parent, `${name.replace('/', '-')}-${version}`);
  try {
    if (!existsSync(folder)) {
      progress(`installing ${name} ${version}, once`);
      mkdirSync(parent, { recursive: true });
      const unfinished = mkdtempSync(`${folder}.`);
      writeFileSync(
        join(unfinished, 'package.json'),
        JSON.stringify({ private: true, dependencies: { [name]: version, ...needs } }),
      );
      try {
        execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
          cwd: unfinished,
          stdio: ['ignore', 'ignore', 'inherit'],
          timeout: INSTALL_TIMEOUT_MS,
        });
        renameSync(unfinished, folder);
      } finally {
        rmSync(unfinished, { recursive: true, force: true });
      }
    }
    return createRequire(join(folder, 'package.json'));
  } catch (error) {
    progress(`ABSENT: ${name} ${version} cannot be installed, so it is NOT compared: ${String(error)}`);
    return undefined;
  }
}
