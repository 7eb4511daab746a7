import { join } from 'node:path';
import { contentHash } from './content-hash';
import { fromCache } from './folder-cache';

const ROOT = join(__dirname, '../..');
const CACHE = join(ROOT, 'node_modules/.cache/local-assembly');

/** Everything that the assembly is made of, relative to the checkout. The lock file of npm stands for the packages. */
export const ASSEMBLY_INPUTS = [
  'cdk.json',
  'core',
  'lambdas',
  'lib',
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
  const key = contentHash(ROOT, ASSEMBLY_INPUTS, [process.version, process.env.CDK_CONTEXT_JSON ?? '']);
  return fromCache({
    cache: CACHE,
    key,
    target,
    async make(folder) {
      // Loaded only here: the CDK alone takes a second.
      const { synthesise } = await import('./synthesise');
      synthesise(folder);
    },
  });
}
