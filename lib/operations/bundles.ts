import { cpSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { buildSync, type Metafile } from 'esbuild';
import { ADOPTED_MIGRATIONS, DATABASE_NAMES } from '../../core/contract';

const ROOT = path.resolve(__dirname, '../..');

/**
 * Functions that read the SQL migrations at run time: to apply them, to compare them, or to create the schema of a
 * restore.
 */
const USES_MIGRATIONS: readonly string[] = ['drill', 'migrate', 'restore', 'row-recovery', 'verify'];

/** Folders of files that a function serves as they are; each becomes `assets` beside the bundle. */
const ASSETS: Readonly<Record<string, string>> = { api: 'admin/assets' };

/** The module that runs pg_dump; a function that has it in its bundle needs the thread's file and the program beside it. */
const PG_DUMP = 'core/schema/dump/pg-dump.ts';
const PG_DUMP_WORKER = 'pg-dump-worker';
const PG_DUMP_PROGRAM = path.join(ROOT, 'node_modules/@electric-sql/pglite-tools/dist/pg_dump.wasm');

/** The code of one function, ready to be an asset. */
export interface Bundle {
  /** Stem of the function: its folder in `lambdas/`. */
  readonly name: string;
  /** Absolute path of the folder that becomes the asset. */
  readonly folder: string;
  /** Size of everything in the folder, unpacked. Start time grows with it. */
  readonly bytes: number;
}

export interface BundleOptions {
  /** Folder that holds a folder for each function. @default lambdas */
  readonly lambdasFolder?: string;
  /** Folder that the bundles are written to; emptied first. @default .build/lambdas */
  readonly outdir?: string;
}

/**
 * Bundles every function in `lambdas/` in one call to esbuild, which parses shared sources once.
 * The same sources give the same bytes, so that an unchanged function is not deployed again.
 *
 * There are no source maps: they triple the asset, and Node reads them only with a flag that slows every start. Errors
 * carry a code and their cause instead, and function names are kept, so that a stack trace stays readable.
 *
 * @throws Error (of esbuild, with file and line) when a function does not compile
 */
export function bundleFunctions(options: BundleOptions = {}): Bundle[] {
  const lambdasFolder = options.lambdasFolder ?? path.join(ROOT, 'lambdas');
  const outdir = options.outdir ?? path.join(ROOT, '.build', 'lambdas');
  const names = readdirSync(lambdasFolder)
    .filter((name) => existsSync(path.join(lambdasFolder, name, 'handler.ts')))
    .toSorted();
  rmSync(outdir, { recursive: true, force: true });
  const { metafile } = buildSync({
    absWorkingDir: ROOT,
    entryPoints: [
      ...names.map((name) => ({ in: path.join(lambdasFolder, name, 'handler.ts'), out: path.join(name, 'index') })),
      { in: path.join(ROOT, path.dirname(PG_DUMP), 'pg-dump-worker.mts'), out: PG_DUMP_WORKER },
    ],
    metafile: true,
    outdir,
    bundle: true,
    minify: true,
    keepNames: true,
    platform: 'node',
    target: 'node24',
    // CommonJS starts faster than ES modules in Lambda, and needs no banner to `require`.
    format: 'cjs',
    mainFields: ['module', 'main'],
    // `pg` tries to load its native variant and works without it; esbuild would fail on it.
    external: ['pg-native'],
    alias: { jiti: path.join(__dirname, 'absent-jiti.ts') },
    legalComments: 'none',
    // An ES module in a CommonJS bundle has no `import.meta.url`; libraries that locate themselves get the bundle.
    define: { 'import.meta.url': '__bundleUrl' },
    banner: { js: "const __bundleUrl=require('node:url').pathToFileURL(__filename).href;" },
    // esbuild exports getters, which cannot be replaced: a tracing layer that wraps the handler would find it frozen.
    footer: { js: 'module.exports={...module.exports};' },
    // The thrown error contains all messages.
    logLevel: 'silent',
  });
  const worker = path.join(outdir, `${PG_DUMP_WORKER}.js`);
  const bundles = names.map((name) => {
    const folder = path.join(outdir, name);
    if (PG_DUMP in inputsOf(metafile, path.join(folder, 'index.js'))) {
      cpSync(worker, path.join(folder, path.basename(worker)));
      cpSync(PG_DUMP_PROGRAM, path.join(folder, path.basename(PG_DUMP_PROGRAM)));
    }
    if (USES_MIGRATIONS.includes(name)) copyMigrations(folder);
    if (name in ASSETS)
      cpSync(path.join(lambdasFolder, name, ASSETS[name] ?? ''), path.join(folder, 'assets'), { recursive: true });
    return { name, folder, bytes: folderBytes(folder) };
  });
  rmSync(worker);
  return bundles;
}

/** Files of the repository that were bundled into an output, by their paths relative to its root. */
function inputsOf({ outputs }: Metafile, output: string): Readonly<Record<string, unknown>> {
  return outputs[path.relative(ROOT, output)]?.inputs ?? {};
}

function copyMigrations(folder: string): void {
  for (const set of [...DATABASE_NAMES, ADOPTED_MIGRATIONS]) {
    cpSync(path.join(ROOT, 'migrations', set), path.join(folder, 'migrations', set), {
      recursive: true,
      filter: (source) => !path.extname(source) || source.endsWith('.sql'),
    });
  }
}

function folderBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0);
}
