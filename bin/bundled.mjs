// Bundles a program of this checkout for its launcher: compiling its sources at every start would take a second.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Makes the bundle of bin/<name>.ts in .build/<name>, unless it is there and none of the files that went into it has changed.
 *
 * @param {object} program
 * @param {string} program.root folder of the checkout
 * @param {string} program.name
 * @param {string} program.extension of the bundle's files
 * @param {import('esbuild').BuildOptions} program.options what the bundle has of its own
 */
export async function bundle({ root, name, extension, options }) {
  const folder = path.join(root, '.build', name);
  const entry = path.join(folder, `${name}${extension}`);
  const inputsFile = path.join(folder, 'inputs.json');
  const changedAt = (file) => statSync(path.join(root, file), { throwIfNoEntry: false })?.mtimeMs;
  if (existsSync(entry) && existsSync(inputsFile)) {
    const known = Object.entries(JSON.parse(readFileSync(inputsFile, 'utf8')));
    if (known.every(([file, time]) => changedAt(file) === time)) return;
  }

  const { build } = await import('esbuild');
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: { [name]: path.join(root, 'bin', `${name}.ts`) },
    outdir: folder,
    bundle: true,
    platform: 'node',
    outExtension: { '.js': extension },
    metafile: true,
    write: false,
    logLevel: 'error',
    ...options,
  });
  mkdirSync(folder, { recursive: true });
  const names = outputFiles.map((file) => path.basename(file.path));
  // The parts first, whose names are hashes of their content: another start meanwhile finds a whole bundle.
  for (const file of outputFiles.toSorted((a, b) => Number(a.path === entry) - Number(b.path === entry))) {
    writeFileSync(`${file.path}.${process.pid}`, file.contents);
    renameSync(`${file.path}.${process.pid}`, file.path);
  }
  for (const old of readdirSync(folder)) {
    if (old.endsWith(extension) && !names.includes(old)) rmSync(path.join(folder, old), { force: true });
  }
  const inputs = Object.keys(metafile.inputs).filter((file) => !file.startsWith('node_modules/'));
  const launchers = ['package-lock.json', 'bin/bundled.mjs', `bin/${name}.mjs`];
  const times = Object.fromEntries([...launchers, ...inputs].map((file) => [file, changedAt(file)]));
  writeFileSync(inputsFile, JSON.stringify(times));
}
