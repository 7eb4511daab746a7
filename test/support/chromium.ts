import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { unavailable } from '../proof/tools';

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const INSTALL_TIMEOUT_MS = 5 * 60_000;

const installed = (): string | undefined => PATHS.find((path) => existsSync(path));

/**
 * Path of a Chromium: the machine's, or Debian's where packages can be installed. `undefined` with a loud line when there is
 * none to be had.
 */
export function chromiumPath(): string | undefined {
  const known = installed();
  if (known !== undefined) return known;
  if (process.getuid?.() !== 0) return unavailable('Chromium', 'it is not installed, and only root may install it');
  const script = 'apt-get update && apt-get install -y --no-install-recommends chromium fonts-dejavu-core';
  const result = spawnSync('sh', ['-c', script], { encoding: 'utf8', timeout: INSTALL_TIMEOUT_MS });
  return installed() ?? unavailable('Chromium', result.error?.message ?? result.stderr);
}
