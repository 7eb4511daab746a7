// Packs `ops` alone: its launcher and its bundle, without sources and without dependencies, for `npm install -g`.
// Usage: npm run pack:ops [-- <folder for the tarball>]
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const destination = path.resolve(process.argv[2] ?? '.');
const folder = path.join(root, '.build', 'ops-package');
const bundle = path.join(root, '.build', 'ops');

function run(command, argv) {
  const { status } = spawnSync(command, argv, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

run(process.execPath, [path.join(root, 'bin', 'ops.mjs'), '--build-only']);
rmSync(folder, { recursive: true, force: true });
mkdirSync(path.join(folder, 'bin'), { recursive: true });
mkdirSync(path.join(folder, '.build', 'ops'), { recursive: true });
copyFileSync(path.join(root, 'bin', 'ops.mjs'), path.join(folder, 'bin', 'ops.mjs'));
for (const name of readdirSync(bundle).filter((file) => file.endsWith('.mjs'))) {
  copyFileSync(path.join(bundle, name), path.join(folder, '.build', 'ops', name));
}
const { name, version, license, engines, bin } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const description = 'Command line of billing operations';
const manifest = { name, version, description, license, engines, bin, files: ['bin', '.build'] };
writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest, undefined, 2));
run('npm', ['pack', '--silent', folder, '--pack-destination', destination]);
