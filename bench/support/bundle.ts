import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { bundleFunctions, type Bundle } from '../../lib/operations/bundles';

/** What runs a bundle, beside the bundles. It is compiled here because Lambda's own needs no compiling at its start. */
export const BOOTSTRAP = 'lambda-bootstrap.mjs';

/**
 * Bundles the functions, as a deployment does, and returns a look-up by name.
 *
 * @param outdir folder of the run's own: what others bundle meanwhile is not touched
 */
export function bundlesIn(outdir: string): (name: string) => Bundle {
  const bundles = bundleFunctions({ outdir });
  const source = join(__dirname, '../../local/aws/lambda-bootstrap.mts');
  buildSync({ entryPoints: [source], outfile: join(outdir, BOOTSTRAP), logLevel: 'silent' });
  return (name) => {
    const bundle = bundles.find((candidate) => candidate.name === name);
    if (bundle === undefined) throw new Error(`There is no function ${name}`);
    return bundle;
  };
}
