import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { goTool, VERSITYGW } from './tools';

/** Benchmarks drive the bundles by processes of their own, which no compiler checks. Their figures mean nothing here. */
const ROOT = path.resolve(__dirname, '../..');

function quick(benchmark: string) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', path.join(ROOT, 'bench', `${benchmark}.ts`), '--quick'],
    { cwd: ROOT, encoding: 'utf8', timeout: 240_000 },
  );
  return { status, output: stdout, error: status === 0 ? '' : stderr };
}

test('bench:reconcile measures the function in a process of its own', () => {
  expect(quick('reconcile')).toEqual({
    status: 0,
    output: expect.stringContaining('| in line with Stripe |'),
    error: '',
  });
});

(goTool(VERSITYGW) === undefined ? describe.skip : describe)('with an S3 server', () => {
  test('bench:backup saves and restores with the functions', () => {
    expect(quick('backup')).toEqual({ status: 0, output: expect.stringContaining('| this platform '), error: '' });
  });
});
