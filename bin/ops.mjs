#!/usr/bin/env node
// Starts bin/ops.ts from its bundle in .build/ops. In a checkout the bundle is made when one of the files that went into
// it has changed; compiling them for every start would take a second. A package has the bundle and no sources.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import module from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const folder = path.join(root, '.build', 'ops');
const entry = path.join(folder, 'ops.mjs');
const inputsFile = path.join(folder, 'inputs.json');
const source = path.join(root, 'bin', 'ops.ts');

/** Time of the last change of a file; undefined when it is gone. */
function changedAt(file) {
  return statSync(path.join(root, file), { throwIfNoEntry: false })?.mtimeMs;
}

function isCurrent() {
  if (!existsSync(entry) || !existsSync(inputsFile)) return false;
  const inputs = JSON.parse(readFileSync(inputsFile, 'utf8'));
  return Object.entries(inputs).every(([file, time]) => changedAt(file) === time);
}

async function bundle() {
  const { build } = await import('esbuild');
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: { ops: source },
    outdir: folder,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    minify: true,
    mainFields: ['module', 'main'],
    outExtension: { '.js': '.mjs' },
    // Packages of the CommonJS kind ask for Node's modules by `require`.
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
    },
    metafile: true,
    write: false,
    logLevel: 'error',
  });
  mkdirSync(folder, { recursive: true });
  const names = outputFiles.map((file) => path.basename(file.path));
  // The parts first, whose names are hashes of their content: another ops that starts meanwhile finds a whole bundle.
  for (const file of outputFiles.toSorted((a, b) => Number(a.path === entry) - Number(b.path === entry))) {
    writeFileSync(`${file.path}.${process.pid}`, file.contents);
    renameSync(`${file.path}.${process.pid}`, file.path);
  }
  for (const old of readdirSync(folder)) {
    if (old.endsWith('.mjs') && !names.includes(old)) rmSync(path.join(folder, old), { force: true });
  }
  const inputs = Object.keys(metafile.inputs).filter((file) => !file.startsWith('node_modules/'));
  const times = Object.fromEntries(['package-lock.json', ...inputs].map((file) => [file, changedAt(file)]));
  writeFileSync(inputsFile, JSON.stringify(times));
}

module.enableCompileCache?.(path.join(folder, 'compiled'));
process.env.OPS_LOCAL_FOLDER ??= path.join(root, '.local');
if (existsSync(source) && !isCurrent()) await bundle();
if (process.argv[2] !== '--build-only') await import(pathToFileURL(entry).href);
