#!/usr/bin/env node
// Starts bin/ops.ts from its bundle in .build/ops. A package has the bundle and no sources.
import { existsSync } from 'node:fs';
import module from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const folder = path.join(root, '.build', 'ops');

module.enableCompileCache?.(path.join(folder, 'compiled'));
process.env.OPS_LOCAL_FOLDER ??= path.join(root, '.local');
if (existsSync(path.join(root, 'bin', 'ops.ts'))) {
  const { bundle } = await import('./bundled.mjs');
  const options = {
    splitting: true,
    format: 'esm',
    target: 'node20',
    minify: true,
    mainFields: ['module', 'main'],
    // Packages of the CommonJS kind ask for Node's modules by `require`.
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
    },
  };
  await bundle({ root, name: 'ops', extension: '.mjs', options });
}
if (process.argv[2] !== '--build-only') await import(pathToFileURL(path.join(folder, 'ops.mjs')).href);
