import { bundleFunctions, type Bundle } from '../../lib/operations/bundles';

/**
 * Bundles the functions, as a deployment does, and returns a look-up by name.
 *
 * @param outdir folder of the run's own: what others bundle meanwhile is not touched
 */
export function bundlesIn(outdir: string): (name: string) => Bundle {
  const bundles = bundleFunctions({ outdir });
  return (name) => {
    const bundle = bundles.find((candidate) => candidate.name === name);
    if (bundle === undefined) throw new Error(`There is no function ${name}`);
    return bundle;
  };
}
