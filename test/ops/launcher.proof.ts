import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startHttpServer, type HttpServer } from '../../local/runtime/http-server';
import { writePlatformFile } from './write-platform-file';

/** bin/ops.mjs in a process of its own, as `npx ops` starts it. */
const LAUNCHER = path.resolve(__dirname, '../../bin/ops.mjs');
let folder: string;
let lambda: HttpServer;
let asked: () => void;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'ops-launcher-'));
  // Answers no request.
  lambda = await startHttpServer(async () => asked());
});

test('the first start makes the bundle, and shows the help', () => {
  const { status, stdout } = ops('--help');
  expect([status, stdout.split('\n')[0]]).toEqual([0, 'Usage: ops <command> --env <environment>']);
});

test('each name that a command imports when it needs it is exported by its part of the bundle', async () => {
  const bundle = path.resolve(__dirname, '../../.build/ops');
  const imports = readdirSync(bundle)
    .filter((file) => file.endsWith('.mjs'))
    .flatMap((file) => [
      ...readFileSync(path.join(bundle, file), 'utf8').matchAll(/\{([^{}]*)\}=await import\("(\.\/[^"]+)"\)/g),
    ])
    .map(([, names = '', part = '']) => ({ part, names: names.split(',').map((name) => name.split(':')[0] ?? '') }));
  expect(imports.length).toBeGreaterThan(50);
  const script = `
    const lacking = [];
    for (const { part, names } of ${JSON.stringify(imports)}) {
      const there = await import(new URL(part, 'file://${bundle}/'));
      lacking.push(...names.filter((name) => !(name in there)).map((name) => name + ' of ' + part));
    }
    console.log(JSON.stringify(lacking));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect([stdout, stderr]).toEqual(['[]\n', '']);
});

afterAll(async () => {
  await lambda.stop();
  rmSync(folder, { recursive: true });
});

const environment = (extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  OPS_LOCAL_FOLDER: folder,
  OPS_ENVIRONMENTS: path.resolve(__dirname, '../../examples'),
  OPS_ENV: 'local',
  ...extra,
});
const ops = (line: string) =>
  spawnSync(process.execPath, [LAUNCHER, ...line.split(' ')], {
    encoding: 'utf8',
    env: environment(),
    timeout: 30_000,
  });

test('the output has no colours where it is no terminal', () => {
  const { stderr } = ops('status --env nowhere');
  expect(stderr).toBe('error: --env nowhere: expected local, dev, production or staging\n');
});

test('an endpoint that does not listen is reported as unreachable', () => {
  writePlatformFile(folder, 'http://127.0.0.1:9', { pid: process.pid, startedAt: 'now' });
  const { status, stderr } = ops('status');
  expect([status, stderr]).toEqual([
    4,
    'error: Cannot reach AWS to invoke BillingOps-local-inspect (ECONNREFUSED): check the network and the region\n',
  ]);
});

test('Ctrl-C stops the waiting, says that the run continues, and ends the process', async () => {
  writePlatformFile(folder, lambda.url, { pid: process.pid, startedAt: 'now' });
  const request = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const child = spawn(process.execPath, [LAUNCHER, 'reconcile', '--without-audit'], { env: environment() });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  await request;
  child.kill('SIGINT');
  const status = await new Promise((resolve) => child.once('close', resolve));
  expect([status, stderr]).toEqual([
    130,
    'Stopped waiting for reconcile. What was started continues: ops logs reconciliation shows how it ends\n',
  ]);
});

test('a reader that is gone, as in "ops … | head", is no error', () => {
  const pipeline = `'${process.execPath}' '${LAUNCHER}' completion bash | true; echo "\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', pipeline], { encoding: 'utf8', env: environment() });
  expect([stdout, stderr]).toEqual(['0\n', '']);
});
