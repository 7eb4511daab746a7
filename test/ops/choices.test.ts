import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { assertNewFile } from '../../ops/files';
import { runOps } from './run-ops';
import { wordsOf } from './runbook-lines';

/** Runs a command that its own values refuse, before anything is asked of AWS. */
const ops = (line: string) => runOps([...wordsOf(line), '--env', 'dev']);
const changing = (line: string) => ops(`${line} --without-audit`);

test.each([
  ['webhooks retry', 'Give ids of events, or --failed for every event that failed'],
  ['webhooks retry evt_1 --failed', 'Give either ids of events or --failed for every event that failed, not both'],
  ['keys create admin --name x', 'Give one or more --project, or --all-projects'],
  [
    'keys create admin --name x --project p1 --all-projects',
    'Give either one or more --project or --all-projects, not both',
  ],
  ['erase', 'Give --customer, or --user'],
  ['erase --customer cus_1 --user grace', 'Give either --customer or --user, not both'],
  ['export --customer cus_1 --user grace', 'Give either --customer or --user, not both'],
  ['cache drop', 'Give --all, or --user and/or --project'],
  ['cache drop --all --project p1', 'Give either --all or --user and/or --project, not both'],
  ['entitlements recompute', 'Give one of --all, --user and --project'],
  ['entitlements recompute --user u1 --project p1', 'Give only one of --all, --user and --project'],
  ['migrate resolve billing', 'Give --applied, or --rolled-back'],
  ['migrate resolve billing --applied 1 --rolled-back 1', 'Give either --applied or --rolled-back, not both'],
  ['restore billing --into x --archive 1h --before 1h', '--archive and --before are mutually exclusive: give only one'],
  [
    'recover start billing --to 1h --snapshot arn',
    '--to, --snapshot and --recovered are mutually exclusive: give only one',
  ],
  [
    'rows merge billing r1 row_1 --table billing.charges',
    'Ids of rows, --from and a choice by --table, --kind or --match are mutually exclusive: give only one',
  ],
])('%s is refused with what to give', async (line, message) => {
  expect(await changing(line)).toEqual({ status: 2, stdout: '', stderr: `error: ${message}\n` });
});

test.each([
  ['audit --days 3 --since 2d', '--days and --since'],
  ['runs --follow drill:1 --running', '--follow and --running'],
  ['runs --follow drill:1 --limit 3', '--follow and --limit'],
])('%s is refused, where one option was ignored before', async (line, options) => {
  const stderr = `error: ${options} are mutually exclusive: give only one\n`;
  expect(await ops(line)).toEqual({ status: 2, stdout: '', stderr });
});

test('migrate new outside of a checkout is refused with where to run it, and adds nothing', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'ops-elsewhere-'));
  const checkout = process.cwd();
  process.chdir(folder);
  try {
    expect(await ops('migrate new billing create_receipts')).toEqual({
      status: 2,
      stdout: '',
      stderr: `error: There is no folder ${path.join('migrations', 'billing')} here: change to the top of a checkout\n`,
    });
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    process.chdir(checkout);
    rmSync(folder, { recursive: true });
  }
});

describe('a file that the command line names', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'ops-files-'));
    writeFileSync(path.join(folder, 'there.json'), '{}');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each([
    ['there.json', 'the file exists, and is not overwritten: name another, or remove it'],
    ['none/new.json', 'there is no folder FOLDER/none: make it, or name another'],
    ['there.json/new.json', 'FOLDER/there.json is not a folder: name another'],
    ['', 'this is a folder: name a file in it'],
  ])('is refused as --to of an export before anything is read: "%s"', async (name, reason) => {
    const file = `${folder}/${name}`;
    expect(await changing(`export --user grace --to ${file}`)).toEqual({
      status: 2,
      stdout: '',
      stderr: `error: --to ${file}: ${reason.replace('FOLDER', folder)}\n`,
    });
    expect(readFileSync(path.join(folder, 'there.json'), 'utf8')).toBe('{}');
  });

  test('is checked without being made, so that a killed command leaves none', () => {
    // To make a file and remove it again changes the time of its folder.
    utimesSync(folder, 1, 1);
    assertNewFile(`${folder}/new.json`, '--to');
    expect(statSync(folder).mtimeMs).toBe(1000);
  });

  test.each([
    ['entitlements rules diff', ''],
    ['entitlements rules put', ''],
    ['rows merge billing r1 --from', '--from '],
  ])('is refused by %s when there is none, or a folder is named', async (line, option) => {
    const run = line.includes('diff') ? ops : changing;
    const [none, isFolder] = [await run(`${line} ${folder}/none`), await run(`${line} ${folder}`)];
    const stderr = `error: ${option}${folder}/none: there is no such file: check the path and the current folder\n`;
    expect(none).toEqual({ status: 2, stdout: '', stderr });
    expect([isFolder.status, isFolder.stderr]).toEqual([
      2,
      `error: ${option}${folder}: this is a folder: name a file in it\n`,
    ]);
  });

  test('is refused as public key with the file that was expected', async () => {
    const { status, stderr } = await ops(`region-loss check --public-key ${folder}/none.pem`);
    expect(status).toBe(2);
    expect(stderr).toMatch(/none\.pem: expected the PEM file .+ \(there is no such file: check the path/);
  });
});
