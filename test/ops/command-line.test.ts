import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { COMMANDS, GROUPS } from '../../ops/commands';
import { resolveTarget } from '../../ops/aws/target';
import { completionScript } from '../../ops/completion';
import { parseLine } from '../../ops/program';
import { EXAMPLE_FOLDER } from '../support/example-environments';
import { runOps } from './run-ops';
import { wordsOf } from './runbook-lines';

/** What the command line says before it reaches any environment. */
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'ops-test-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const ops = (line: string, environment: Readonly<Record<string, string>> = {}) =>
  runOps(wordsOf(line), { environment: { OPS_LOCAL_FOLDER: folder, ...environment } });

test('the help names every command and group', async () => {
  const { status, stdout, stderr } = await ops('--help');
  expect([status, stderr]).toEqual([0, '']);
  const words = COMMANDS.map(({ name }) => name.split(' ')[0] ?? '');
  for (const word of new Set(words)) expect(stdout).toMatch(new RegExp(`^ {2}${word}\\b`, 'm'));
});

test.each(COMMANDS.map((command) => [command.name, command] as const))(
  'the help of %s says what it changes, when it exits with 1, and shows examples',
  async (name, { examples, summary, options }) => {
    const { status, stdout } = await ops(`${name} --help`);
    expect(status).toBe(0);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(`${summary}.`);
    expect(stdout).toMatch(/^Changes: .+\.$/m);
    expect(stdout).toMatch(/^Exits with 1: .+\.$/m);
    for (const option of Object.keys(options)) {
      expect(stdout).toContain(`--${option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
    }
    expect(examples.length).toBeGreaterThan(0);
    for (const { line } of examples) expect([line, line.startsWith(`${name} `) || line === name]).toEqual([line, true]);
  },
);

test('every group of commands has a summary, and no summary is left over', () => {
  const groups = COMMANDS.flatMap(({ name }) => {
    const words = name.split(' ');
    return words.slice(0, -1).map((_, index) => words.slice(0, index + 1).join(' '));
  });
  expect([...new Set(groups)].toSorted()).toEqual(Object.keys(GROUPS).toSorted());
});

test.each([
  ['bakcup billing', 'unknown command', 'Did you mean backup?'],
  ['webhooks retyr', 'unknown command', 'Did you mean retry?'],
  ['reconcile --dryrun', "unknown option '--dryrun'", 'Did you mean --dry-run?'],
  ['backup biling', "command-argument value 'biling' is invalid", 'expected billing or main'],
  ['backup', "missing required argument 'database'", ''],
  ['backup billing main', 'too many arguments', ''],
  ['restore billing', "required option '--into <name>' not specified", ''],
  ['reconcile --days-back 31', '--days-back', 'expected a whole number from 1 to 30'],
  ['reconcile --days-back two', '--days-back', 'expected a whole number from 1 to 30'],
  ['webhooks gaps --from yesterday', '--from', 'expected an ISO 8601 time with a zone such as 2026-11-21T06:00:00Z'],
  ['webhooks gaps --from 2026-11-21T06:00:00', '--from', 'with a zone'],
  ['webhooks gaps --from 2026-13-21T06:00:00Z', '--from', 'expected an ISO 8601 time'],
  [
    'webhooks list --status broken',
    '--status',
    'expected received or processing or processed or ignored or failed or dismissed',
  ],
  [
    'keys create admin --name x --all-projects --expires 2999-01-01',
    "'2999-01-01' is invalid",
    'expected a moment to come: an ISO 8601 time with a zone such as 2',
    '-01-01T00:00:00Z, or a span from now such as 12h or 90d',
  ],
  [
    'keys create admin --name x --all-projects --expires 2020-01-01T00:00:00Z',
    "'2020-01-01T00:00:00Z' is invalid",
    'expected a moment to come: an ISO 8601 time with a zone such as 2',
    '-01-01T00:00:00Z, or a span from now such as 12h or 90d',
  ],
  [
    'keys create admin --name x --all-projects --expires 0d',
    "'0d' is invalid",
    'expected a moment to come: an ISO 8601 time with a zone such as 2',
    '-01-01T00:00:00Z, or a span from now such as 12h or 90d',
  ],
  ['webhooks retry 123', "'123' is invalid", 'expected an event id such as evt_1A2b3C'],
  ['rows report billing billing.users --where "id ~ 1"', '--where', 'expected "column operator value"'],
])('%s is refused with one line that says what is wrong and what is expected', async (line, ...parts) => {
  const { status, stdout, stderr } = await ops(`${line} --env local`);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/^error: .+\n$/);
  for (const part of parts) expect(stderr).toContain(part);
});

test.each(['webhooks', 'webhooks --env local', '--env local webhooks', '--env local'])(
  '"ops %s" has no command: it shows those that there are and exits with 2',
  async (line) => {
    const { status, stderr } = await ops(line);
    expect(status).toBe(2);
    expect(stderr).toContain(line.includes('webhooks') ? 'Usage: ops webhooks' : 'Usage: ops <command>');
    expect(stderr).toMatch(line.includes('webhooks') ? /^ {2}retry /m : /^ {2}reconcile /m);
  },
);

test.each([
  '--env dev --json webhooks list',
  'webhooks --json --env dev list',
  '--env local webhooks list --json --env dev',
])('"ops %s" is understood: options of every command may stand before it, and the last one counts', async (line) => {
  const { command, globals } = await parseLine(wordsOf(line), process);
  expect([command.name, globals]).toEqual(['webhooks list', { env: 'dev', json: true }]);
});

test.each([
  [
    'webhooks --failed',
    /^error: unknown option '--failed'\. Options of a command follow it: ops webhooks <command> --option\. Commands: status, list, .+\n$/,
  ],
  [
    '--failed webhooks',
    /^error: unknown option '--failed'\. Options of a command follow it: ops <command> --option\. Commands: status, doctor, .+\n$/,
  ],
  [
    '--without-audit status',
    /^error: --without-audit is not for status, which only reads and leaves no audit record\n$/,
  ],
])('ops %s is refused with where the option belongs', async (line, message) => {
  const { status, stderr } = await ops(line);
  expect([status, stderr]).toEqual([2, expect.stringMatching(message)]);
});

test('ops --version prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(path.resolve(__dirname, '../../package.json'), 'utf8')) as {
    readonly version: string;
  };
  expect(await ops('--version')).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
});

test.each(['', 'webhooks', 'webhooks retry'])('ops help %s is the same as --help', async (words) => {
  expect(await ops(`help ${words}`)).toEqual(await ops(`${words} --help`));
});

test.each(['help backup billing', 'help backup -- --env local', 'help backup billing --help'])(
  '"ops %s" shows the help of the command, and does not run it',
  async (line) => {
    expect(await ops(line, { OPS_ENV: 'local' })).toMatchObject({
      status: 0,
      stdout: expect.stringContaining(line.endsWith('--help') ? 'Usage: ops help' : 'Usage: ops backup <database>'),
    });
  },
);

test('ops help refuses an unknown command as the command line does', async () => {
  const stderr = "error: unknown command 'retyr' (Did you mean retry?)\n";
  expect(await ops('help webhooks retyr')).toEqual({ status: 2, stdout: '', stderr });
});

test('keys create --expires takes a span from now, or a moment to come', async () => {
  const parse = async (expires: string) => {
    const line = `keys create admin --name x --all-projects --expires ${expires}`;
    return (await parseLine(wordsOf(line), process)).values.expires as string;
  };
  const DAYS_90 = 90 * 86_400_000;
  const [earliest, expires, latest] = [Date.now(), Date.parse(await parse('90d')), Date.now()];
  expect(expires).toBeGreaterThanOrEqual(earliest + DAYS_90);
  expect(expires).toBeLessThanOrEqual(latest + DAYS_90);
  expect(await parse('2999-01-01T00:00:00+01:00')).toBe('2998-12-31T23:00:00Z');
});

test('every example of the help is a command line that is understood', async () => {
  for (const { line } of COMMANDS.flatMap(({ examples }) => examples)) {
    // As far as the shell reads it.
    const [words = ''] = line.split(/ [|>&]/);
    await expect(parseLine(wordsOf(words), process)).resolves.toMatchObject({ command: { name: expect.any(String) } });
  }
});

test.each([
  ['', '--env is missing: local, dev, production or staging. Set OPS_ENV to leave it out'],
  [' --env prodution', '--env prodution: expected local, dev, production or staging'],
])('a command with the environment "%s" is refused', async (env, message) => {
  expect(await ops(`status${env}`)).toEqual({ status: 2, stdout: '', stderr: `error: ${message}\n` });
});

test('where no environments are described, any well-formed name is asked of AWS', async () => {
  const elsewhere = { OPS_ENVIRONMENTS: folder };
  expect((await ops('status --env Prod_1', elsewhere)).stderr).toBe(
    'error: --env Prod_1: expected local or the name of a deployed environment\n',
  );
  await expect(resolveTarget('prod-eu', elsewhere)).resolves.toMatchObject({ environment: 'prod-eu' });
});

test('the environment variable OPS_ENV names the environment, and --env wins over it', async () => {
  expect((await ops('status', { OPS_ENV: 'nowhere' })).stderr).toContain('--env nowhere: expected');
  expect((await ops('status --env local', { OPS_ENV: 'nowhere' })).stderr).toContain(
    'The local platform is not running',
  );
});

test('a local platform that is not running is reported with the command that starts it', async () => {
  expect(await ops('status --env local')).toEqual({
    status: 4,
    stdout: '',
    stderr: 'error: The local platform is not running: start it with "npm start" and leave it running\n',
  });
});

test('a file of another version of the platform is reported, with its stack only when asked for', async () => {
  writeFileSync(path.join(folder, 'platform.json'), '{"port": 1}');
  try {
    const { status, stderr } = await ops('status --env local');
    expect(status).toBe(4);
    expect(stderr).toMatch(
      /^error: \S+platform\.json is of another version of the platform: stop it, then start it .+\n$/,
    );
    expect((await ops('status --env local --verbose')).stderr).toMatch(/\n\s+at .+\n/);
  } finally {
    rmSync(path.join(folder, 'platform.json'));
  }
});

test('without credentials, one line says how to log in', async () => {
  const saved = { ...process.env };
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) delete process.env[name];
  Object.assign(process.env, {
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: path.join(folder, 'none'),
    AWS_SHARED_CREDENTIALS_FILE: path.join(folder, 'none'),
  });
  try {
    const { status, stderr } = await ops('status --env dev');
    expect(status).toBe(4);
    expect(stderr).toMatch(
      /^error: No AWS credentials for dev \(.+\): log in \(aws sso login\) or set AWS_PROFILE\. .+\n$/,
    );
  } finally {
    process.env = saved;
  }
});

/** The words that the completion script offers after a line. */
function complete(line: string): string[] {
  const words = line.split(' ');
  const script = `${completionScript('bash', COMMANDS)}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length - 1}
_ops
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script], {
    encoding: 'utf8',
    env: { ...process.env, OPS_ENVIRONMENTS: EXAMPLE_FOLDER },
  });
  expect(stderr).toBe('');
  return stdout.trim().split('\n');
}

test.each([
  ['ops rec', ['reconcile', 'reconciliations', 'recover']],
  ['ops webhooks re', ['retry', 'replay', 'redrive']],
  ['ops help webhooks re', ['retry', 'replay', 'redrive']],
  ['ops --env local webhooks re', ['retry', 'replay', 'redrive']],
  ['ops --ve', ['--verbose', '--version']],
  [
    'ops backup ',
    [
      'billing',
      'main',
      '--before-migration',
      '--in-parts',
      '--slot',
      '--env',
      '--json',
      '--verbose',
      '--without-audit',
    ],
  ],
  ['ops backup billing --env ', ['dev', 'staging', 'production', 'local']],
  ['ops webhooks list --status p', ['processing', 'processed']],
  ['ops entitlements rules ', ['get', 'diff', 'put']],
])('completion after "%s" offers what may follow', (line, expected) => {
  expect(complete(line).toSorted()).toEqual(expected.toSorted());
});
