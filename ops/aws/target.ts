import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import path from 'node:path';
import { ENVIRONMENT_NAME, LOCAL_ENVIRONMENT } from '../../core/contract';
import type { PlatformFile } from '../../local/platform/contract';
import { environmentNames } from '../environment-names';
import { CommandError } from '../errors';

/** The environment that a command is about, and how its AWS APIs are reached. */
export interface Target {
  readonly environment: string;
  /** Of `local`: where the running platform listens. Elsewhere the SDK finds endpoints, region and credentials itself. */
  readonly platform: PlatformFile | undefined;
  /** Where it is, when that is another region than that of the credentials. @default - that of the credentials */
  readonly region?: string;
  /** For messages: the environment, and the region where it is known. */
  readonly label: string;
}

/** Folder of the local platform, which `npm start` writes to. */
export const LOCAL_FOLDER_VARIABLE = 'OPS_LOCAL_FOLDER';

/**
 * Finds the environment of a command.
 *
 * @param name value of `--env`
 * @throws CommandError `usage` without a known name; `failed` for `local` when the platform is not running
 */
export async function resolveTarget(name: string | undefined, environment: NodeJS.ProcessEnv): Promise<Target> {
  const wanted = name ?? environment.OPS_ENV;
  const described = environmentNames(environment);
  const choices = [LOCAL_ENVIRONMENT, ...(described.length > 0 ? described : ['the name of a deployed environment'])];
  const expected = `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`;
  if (wanted === undefined || wanted === '') {
    throw new CommandError('usage', `--env is missing: ${expected}. Set OPS_ENV to leave it out`);
  }
  // Without files to compare with, as outside of a checkout, AWS says whether there is such an environment.
  const known = wanted === LOCAL_ENVIRONMENT || described.length === 0 || described.includes(wanted);
  if (!known || !ENVIRONMENT_NAME.test(wanted)) {
    throw new CommandError('usage', `--env ${wanted}: expected ${expected}`);
  }
  if (wanted !== LOCAL_ENVIRONMENT) {
    return { environment: wanted, platform: undefined, label: `${wanted} (${regionOf(environment)})` };
  }
  const platform = await readPlatform(environment[LOCAL_FOLDER_VARIABLE] ?? '.local');
  return { environment: wanted, platform, label: wanted };
}

function regionOf({ AWS_REGION, AWS_DEFAULT_REGION, AWS_PROFILE }: NodeJS.ProcessEnv): string {
  return AWS_REGION ?? AWS_DEFAULT_REGION ?? `region of the profile ${AWS_PROFILE ?? 'default'}`;
}

const START = 'start it with "npm start" and leave it running';

async function readPlatform(folder: string): Promise<PlatformFile> {
  const { PLATFORM_FILE, platformFile } = await import('../../local/platform/contract');
  const file = path.join(folder, PLATFORM_FILE);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CommandError('failed', `The local platform is not running: ${START}`, { cause });
  }
  let platform: PlatformFile;
  try {
    platform = platformFile.parse(JSON.parse(text));
  } catch (cause) {
    throw new CommandError('failed', `${file} is of another version of the platform: stop it, then ${START}`, {
      cause,
    });
  }
  if (!isAlive(platform.process.pid)) {
    throw new CommandError('failed', `The local platform ended without stopping properly: ${START}`);
  }
  return platform;
}

function isAlive(pid: number): boolean {
  try {
    // Signal 0 only asks whether the process exists.
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Credentials that the local platform accepts; the name becomes the identity in its audit records. */
export function localCredentials(): { readonly accessKeyId: string; readonly secretAccessKey: string } {
  return { accessKeyId: userInfo().username.replaceAll(/[^\w.-]/g, '-') || 'local', secretAccessKey: 'local' };
}
