import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identify } from '../../local/runtime/processes';
import { takeRunLock } from '../../local/platform/run-lock';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lock-test-'));
  path = join(directory, 'run.lock');
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

test('a second run is refused while the first is alive', () => {
  takeRunLock(path);

  expect(() => takeRunLock(path)).toThrow(`process ${process.pid}`);
});

test('a released lock is free', () => {
  takeRunLock(path).release();

  expect(existsSync(path)).toBe(false);
  expect(takeRunLock(path).recoveredFrom).toBeUndefined();
});

test('the lock of a process whose number is in use by another is taken over, and reported', () => {
  const crashed = { pid: process.pid, startedAt: 'another time' };
  writeFileSync(path, JSON.stringify(crashed));

  expect(takeRunLock(path).recoveredFrom).toEqual(crashed);
});

test('a lock that a crash left half-written is taken over', () => {
  writeFileSync(path, '{"pid":');

  takeRunLock(path);

  expect(() => takeRunLock(path)).toThrow(/Another run/);
});

test('a process that does not exist has no identity', () => {
  expect(identify(2 ** 22 + 1)).toBeUndefined();
});
