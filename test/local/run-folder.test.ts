import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRunFolder } from '../../local/platform/run-folder';
import { startCluster } from '../../local/postgres/cluster';

let directory: string;
let mounted: boolean;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'folder-test-'));
  chmodSync(directory, 0o755);
  mounted = false;
});
afterEach(() => {
  if (mounted) execFileSync('umount', [directory]);
  rmSync(directory, { recursive: true, force: true });
});

/** Makes the folder a file system of its own. */
function mount(options: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory], { stdio: 'ignore' });
  mounted = true;
}

/** Root may mount a file system, unless a container forbids it. */
function mayMount(): boolean {
  return spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()]).status === 0;
}

test('a folder for the run is created where there is none', () => {
  createRunFolder(join(directory, 'a', 'b'));

  expect(existsSync(join(directory, 'a', 'b'))).toBe(true);
});

test('a disk with too little space is refused with the space needed and the space left', () => {
  expect(() => createRunFolder(directory, () => 12.7)).toThrow(
    `${directory} needs 400 MB, and its disk has 12 MB left`,
  );
});

test('a path that cannot become a folder is refused with the reason', () => {
  const file = join(directory, 'file');
  writeFileSync(file, '');

  expect(() => createRunFolder(join(file, 'run'))).toThrow(
    /cannot be written: ENOTDIR.* Give this account write access/,
  );
});

(mayMount() ? describe : describe.skip)('on a file system of its own', () => {
  test('a read-only file system is refused as one', () => {
    mount('size=1m,ro');

    expect(() => createRunFolder(join(directory, 'run'))).toThrow(
      `${join(directory, 'run')} cannot be written: its file system is read-only`,
    );
  });

  test('a cluster on a full disk fails with what to do, not with the output of initdb', async () => {
    mount('size=12m,mode=755');

    await expect(startCluster({ directory: join(directory, 'c'), durable: false })).rejects.toThrow(
      /^The disk is full: a PostgreSQL cluster needs 100 MB in .*\. Free some and start again\.$/,
    );
  });
});
