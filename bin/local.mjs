// Starts bin/local.ts from its bundle in .build/local. Packages stay outside of it, and Node's cache has them compiled.
import module, { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundled.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const folder = path.join(root, '.build', 'local');

module.enableCompileCache?.(path.join(folder, 'compiled'));
await bundle({
  root,
  name: 'local',
  extension: '.cjs',
  options: { format: 'cjs', target: 'node24', packages: 'external', keepNames: true },
});
createRequire(import.meta.url)(path.join(folder, 'local.cjs'));
