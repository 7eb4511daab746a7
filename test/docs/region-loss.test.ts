import { spawnSync } from 'node:child_process';
import { blockOf } from '../rehearsal/commands';

/** Stand-ins for what the commands of docs/region-loss.md start. A query is answered for each page, as the command line of AWS does. */
const PROGRAMS = `
folder=$(mktemp -d) && cd "$folder" && trap 'rm -r "$folder"' EXIT
: > manifest.json
aws() {
  case "$1 $2 $*" in
    *'[-1]'*) echo archives/2/manifest.json; echo archives/4/manifest.json ;;
    *list-objects-v2*) for n in 1 2 3 4; do echo archives/$n/manifest.json; done ;;
    *) echo "read $3" ;;
  esac
}
node() { echo slot; }
sha256sum() { echo digest; }
openssl() { [ "$verified" = yes ]; }
ops() { echo "ops $*"; }
`;

/** Runs step 5, in a shell as operators have it: without `set -e`. @returns the lines that it printed */
function restore(verified: 'yes' | 'no', last = ''): string[] {
  const [functions = ''] = blockOf('region-loss.md', '### 5. Restore').split('\nrestore billing');
  const script = last === '' ? blockOf('region-loss.md', '### 5. Restore') : `${functions}\n${last}`;
  const { stdout, stderr } = spawnSync(
    'bash',
    ['--norc', '-c', `C=copies verified=${verified}\n${PROGRAMS}\n${script}`],
    {
      encoding: 'utf8',
    },
  );
  expect(stderr).toBe('');
  return stdout.trim().split('\n');
}

test('the commands of a lost region restore the newest archive of many pages of copies', () => {
  expect(restore('yes').filter((line) => line.endsWith('manifest.json'))).toEqual([
    'read s3://copies/archives/4/manifest.json',
    'read s3://copies/archives/4/manifest.json',
  ]);
});

test('the commands of a lost region restore nothing once a signature is not verified', () => {
  expect(restore('no')).toEqual([
    'read s3://copies/archives/4/manifest.json',
    'read s3://copies/archives/4/slot/manifest.sig',
  ]);
});

test('the commands of a lost region restore an archive that is named', () => {
  expect(restore('yes', 'restore main archives/3/manifest.json')).toEqual([
    'read s3://copies/archives/3/manifest.json',
    'read s3://copies/archives/3/slot/manifest.sig',
    expect.stringMatching(/^ops restore main --into main_restored --archive slot/),
  ]);
});
