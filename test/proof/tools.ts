import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

/** Tools that npm does not have take minutes to build or to fetch, so they are kept outside the checkout. */
export const CACHE = path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'billing-operations');
const BUILD_TIMEOUT_MS = 15 * 60_000;

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
