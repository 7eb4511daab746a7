import { bundleFunctions } from '../lib/operations/bundles';

const started = performance.now();
const bundles = bundleFunctions();
for (const { name, folder, bytes } of bundles) {
  console.log(`${name.padEnd(16)} ${(bytes / 1024).toFixed(0).padStart(6)} KiB  ${folder}`);
}
console.log(`${bundles.length} functions bundled in ${(performance.now() - started).toFixed(0)} ms`);
