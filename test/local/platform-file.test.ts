import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPlatformFile, writePlatformFile } from '../../local/platform/platform-file';

const PLATFORM = {
  environment: 'local',
  region: 'eu-central-1',
  endpoints: {
    cloudWatch: 'http://127.0.0.1:6',
    cloudWatchLogs: 'http://127.0.0.1:7',
    lambda: 'http://lambda',
    s3: 'http://s3',
    secretsManager: 'http://secrets',
    sqs: 'http://sqs',
    stepFunctions: 'http://states',
    sts: 'http://sts',
  },
  apiUrl: 'http://api',
  webhookUrl: 'http://api/hook',
};

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'platform-file-test-'));
  path = join(directory, 'platform.json');
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

test('a running platform is found with where it listens', () => {
  writePlatformFile(directory, PLATFORM);

  expect(readPlatformFile(directory)).toMatchObject({ status: 'running', platform: PLATFORM });
});

test('a platform that was stopped is not found', () => {
  writePlatformFile(directory, PLATFORM).remove();

  expect(existsSync(path)).toBe(false);
  expect(readPlatformFile(directory)).toEqual({ status: 'stopped' });
});

test('the file of a process that ended is stale, although its number is in use again', () => {
  writePlatformFile(directory, PLATFORM);
  const crashed = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...crashed, process: { pid: process.pid, startedAt: 'another time' } }));

  expect(readPlatformFile(directory)).toMatchObject({ status: 'stale', platform: { process: { pid: process.pid } } });
});

test.each(['', '{"half":', 'null', '{"process":{"pid":1}}'])('the content %j is refused with what to do', (content) => {
  writeFileSync(path, content);

  expect(() => readPlatformFile(directory)).toThrow(`${path} was not written by npm start. Delete it`);
});
