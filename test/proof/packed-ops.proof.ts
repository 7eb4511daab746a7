import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startedPlatform, type StartedPlatform } from '../ops/started-platform';

/** `ops` from the packed tarball, installed into an empty folder as `npx` and `npm i -g` do, without sources or dependencies. */
jest.setTimeout(300_000);
const ROOT = path.resolve(__dirname, '../..');
const folder = mkdtempSync(path.join(tmpdir(), 'ops-packed-'));
let platform: StartedPlatform;

function run(command: string, argv: readonly string[], cwd: string, environment: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(command, argv, {
    cwd,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: folder, npm_config_cache: path.join(folder, 'cache'), ...environment },
  });
  return { status, stdout, stderr };
}

beforeAll(async () => {
  platform = await startedPlatform();
  const packed = run(process.execPath, [path.join(ROOT, 'bin/pack-ops.mjs'), folder], ROOT);
  if (packed.status !== 0) throw new Error(packed.stderr);
  writeFileSync(path.join(folder, 'package.json'), '{"private":true}');
  const [tarball = ''] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  // Offline: the package brings everything that it needs.
  const installed = run('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${tarball}`], folder);
  if (installed.status !== 0) throw new Error(installed.stderr);
});
afterAll(async () => {
  await platform.stop();
  rmSync(folder, { recursive: true, force: true });
});

const ops = (line: string) =>
  run(path.join(folder, 'node_modules/.bin/ops'), line.split(' '), folder, { OPS_LOCAL_FOLDER: platform.folder });

test('the package is the bundle and nothing else, and shows the help', () => {
  const installed = path.join(folder, 'node_modules');
  expect(readdirSync(installed).filter((name) => !name.startsWith('.'))).toEqual(['billing-operations']);
  const { status, stdout, stderr } = ops('--help');
  expect([status, stderr, stdout.split('\n')[0]]).toEqual([0, '', 'Usage: ops <command> --env <environment>']);
});

test('a command from the package reaches the local platform', () => {
  const { status, stdout } = ops('migrate status billing --env local');
  expect([status, stdout]).toEqual([1, expect.stringContaining('0001_create_identity')]);
});
