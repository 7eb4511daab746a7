import type { Context } from 'aws-lambda';

const CONTEXT = { getRemainingTimeInMillis: () => 60_000 } as Context;

const DATABASES = Object.fromEntries(
  ['BILLING', 'MAIN'].flatMap((database) => [
    [`${database}_DATABASE_HOST`, '127.0.0.1'],
    [`${database}_DATABASE_PORT`, '5432'],
    [`${database}_DATABASE_NAME`, database.toLowerCase()],
    [`${database}_DATABASE_SECRET_ARN`, 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:database'],
  ]),
);
const ENVIRONMENT: Record<string, string> = {
  ...DATABASES,
  ENVIRONMENT_NAME: 'test',
  LOG_LEVEL: 'ERROR',
  ARCHIVE_BUCKET: 'archives',
  ARCHIVE_SIGNING_KEY_ARN: 'arn:aws:kms:eu-central-1:111122223333:key/archives',
  BILLING_RETENTION_DAYS: '90',
  MAIN_RETENTION_DAYS: '30',
  BILLING_FREQUENCY_HOURS: '6',
  MAIN_FREQUENCY_HOURS: '24',
  BILLING_INSTANCE_IDENTIFIER: '',
  MAIN_INSTANCE_IDENTIFIER: '',
  STREAMING_LIMIT_GIB: '64',
  BILLING_ARCHIVE_WORKFLOW_ARN: '',
  MAIN_ARCHIVE_WORKFLOW_ARN: '',
  BILLING_RESTORE_WORKFLOW_ARN: 'arn:aws:states:eu-central-1:111122223333:stateMachine:restore',
  ERASURE_KEY_SECRET_ARN: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:erasure',
  ERASURE_HOOKS: '',
  MAIN_RESTORE_WORKFLOW_ARN: 'arn:aws:states:eu-central-1:111122223333:stateMachine:restore',
  EXPORT_ROLE_ARN: '',
  EXPORT_KEY_ARN: '',
};

interface HandlerModule {
  readonly handler: (event: unknown, context: Context) => Promise<unknown>;
}

const load: Record<string, () => Promise<HandlerModule>> = {
  backup: () => import('../../lambdas/backup/handler'),
  restore: () => import('../../lambdas/restore/handler'),
  migrate: () => import('../../lambdas/migrate/handler'),
};

/** Starts a function as Lambda does: its module is loaded afresh with the environment in place. */
async function start(name: string, environment: Record<string, string>): Promise<HandlerModule> {
  jest.replaceProperty(process, 'env', { ...process.env, ...environment });
  let started: HandlerModule | undefined;
  await jest.isolateModulesAsync(async () => {
    started = await load[name]?.();
  });
  if (!started) throw new Error(`There is no function ${name}`);
  return started;
}

afterEach(() => {
  jest.restoreAllMocks();
});

test.each([
  ['backup', 'BILLING_RETENTION_DAYS', 'ninety', 'a whole number from 1 to 3650'],
  ['backup', 'STREAMING_LIMIT_GIB', '0', 'a whole number from 1 to 65536'],
  ['backup', 'MAIN_FREQUENCY_HOURS', 'daily', 'a whole number from 0 to 744'],
  ['backup', 'ARCHIVE_BUCKET', '', 'the name of the archive bucket'],
  ['restore', 'ARCHIVE_SIGNING_KEY_ARN', '', 'the ARN of the key that signs manifests'],
  ['restore', 'MAIN_DATABASE_PORT', '0', 'a whole number from 1 to 65535'],
  ['migrate', 'BILLING_DATABASE_HOST', ' ', 'a host name or address'],
])('%s does not start with a malformed %s, and says what it should be', async (name, variable, value, form) => {
  const starting = start(name, { ...ENVIRONMENT, [variable]: value });
  await expect(starting).rejects.toMatchObject({
    code: 'configuration',
    message: `environment variable ${variable} is malformed: expected ${form}`,
  });
});

const plan = {
  step: 'plan',
  database: 'main',
  slot: '2026-11-21T06:00:00Z',
  host: 'attacker.example.com',
  recoveryPoint: { snapshot: 'arn:snapshot', takenAt: '2026-11-21T00:04:00Z' },
};
const restore = { database: 'billing', archive: 'latest', targetDatabase: 'copy', afterwards: 'drop' };

test.each<[string, string, unknown]>([
  ['backup', 'database: expected `billing` or `main`', { database: 'analytics' }],
  [
    'backup',
    'slot: expected an ISO 8601 time with a time zone, such as 2026-11-21T06:00:00Z',
    { database: 'billing', slot: 'noon' },
  ],
  ['backup', 'reason: expected `routine` or `pre-migration`', { database: 'billing', reason: 'boredom' }],
  ['backup', 'step: no workflow archives the main database: ask for a backup, without a step', plan],
  ['restore', 'archive: expected `latest`, or the ISO 8601 time', { ...restore, archive: 'newest' }],
  ['restore', 'afterwards: expected `keep` or `drop`', { ...restore, afterwards: 'overwrite' }],
  ['restore', 'targetDatabase: expected lower-case letters', { ...restore, targetDatabase: 'Copy"; DROP' }],
  ['restore', 'targetDatabase: billing is the live database', { ...restore, targetDatabase: 'billing' }],
  ['restore', 'notafter: unknown; did you mean notAfter?', { ...restore, notafter: '2026-11-21T06:00:00Z' }],
  ['migrate', 'action: expected `status`, `plan`', { database: 'main', action: 'undo' }],
  ['migrate', 'expected a JSON object, received nothing', undefined],
])('%s refuses a request with the reason "%s…" before it connects to anything', async (name, reason, request) => {
  const { handler } = await start(name, ENVIRONMENT);
  // The refusal's log and metrics.
  jest.spyOn(process.stdout, 'write').mockReturnValue(true);
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const refusal = handler(request, CONTEXT);
  await expect(refusal).rejects.toMatchObject({ code: 'invalid_request' });
  await expect(refusal).rejects.toThrow(reason);
});

test.each([
  [
    'main.abc123.eu-central-1.rds.amazonaws.com',
    '',
    'host: expected an instance of the account and region of the live one, <identifier>.abc123.eu-central-1.rds.amazonaws.com',
  ],
  // An alias, or a proxy: they say nothing of the account.
  [
    'main.acme.internal',
    'acme-main',
    'host: expected the copy that the workflow made, acme-main-archive-….eu-central-1.rds.amazonaws.com',
  ],
])(
  'a step of a large archive beside %s is refused where its host is none that may be sent the password',
  async (live, identifier, message) => {
    const { handler } = await start('backup', {
      ...ENVIRONMENT,
      MAIN_DATABASE_HOST: live,
      MAIN_INSTANCE_IDENTIFIER: identifier,
      MAIN_ARCHIVE_WORKFLOW_ARN: 'arn:aws:states:eu-central-1:111122223333:stateMachine:archive-main',
    });
    jest.spyOn(process.stdout, 'write').mockReturnValue(true);
    jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    await expect(handler(plan, CONTEXT)).rejects.toMatchObject({ code: 'invalid_request', message });
  },
);
