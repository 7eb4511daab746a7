import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CHECKOUT } from '../runtime/checkout';
import { contentHash } from '../runtime/content-hash';
import { cacheFolder, fromCache } from '../runtime/folder-cache';

/** Everything that the assembly is made of, relative to the checkout. The lock file of npm stands for the packages. */
export const ASSEMBLY_INPUTS = [
  'cdk.json',
  'core',
  'lambdas',
  'lib',
  'local/platform/archive-workflows.ts',
  'local/platform/synthesise.ts',
  'local/platform/template-addresses.ts',
  'local/postgres/secret-arn.ts',
  'local/runtime/ports.ts',
  'migrations',
  'node_modules/.package-lock.json',
  'package-lock.json',
  'tsconfig.json',
];

/**
 * Writes the cloud assembly of this machine's environment, with the bundled functions, into a folder that does not exist
 * yet. Bundling and synthesis are the longest part of a start, so they are done again only when an input changed.
 *
 * @returns whether it came from the cache
 */
export async function writeAssembly(target: string): Promise<boolean> {
  const key = contentHash(CHECKOUT, ASSEMBLY_INPUTS, [process.version, process.env.CDK_CONTEXT_JSON ?? '']);
  return fromCache({
    cache: cacheFolder('local-assembly'),
    key,
    target,
    async make(folder) {
      // In a process of its own: the CDK alone takes a second to load, and nothing else can go on meanwhile.
      const program = join(CHECKOUT, 'bin/synthesise-local.ts');
      await promisify(execFile)(process.execPath, ['--import', 'tsx', program, folder], { cwd: CHECKOUT });
    },
  });
}
