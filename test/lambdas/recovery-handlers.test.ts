import type { Context } from 'aws-lambda';

const ENVIRONMENT: Record<string, string> = {
  ...Object.fromEntries(
    ['BILLING', 'MAIN'].flatMap((database) => [
      [`${database}_DATABASE_HOST`, '127.0.0.1'],
      [`${database}_DATABASE_PORT`, '5432'],
      [`${database}_DATABASE_NAME`, database.toLowerCase()],
      [`${database}_DATABASE_SECRET_ARN`, 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:database'],
      [`${database}_RESTORE_TARGET_MINUTES`, '60'],
      [`${database}_RESTORE_WORKFLOW_ARN`, 'arn:aws:states:eu-central-1:111122223333:stateMachine:restore'],
    ]),
  ),
  ENVIRONMENT_NAME: 'test',
  LOG_LEVEL: 'ERROR',
  STREAMING_LIMIT_GIB: '40',
  ARCHIVE_BUCKET: 'archives',
  ARCHIVE_SIGNING_KEY_ARN: 'arn:aws:kms:eu-central-1:111122223333:key/archives',
  CACHE_URL: '',
  ERASURE_KEY_SECRET_ARN: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:erasures',
  ERASURE_HOOKS: '',
};

const CONTEXT = { getRemainingTimeInMillis: () => 60_000 } as Context;

interface HandlerModule {
  readonly handler: (event: unknown, context: Context) => Promise<unknown>;
}

const load = {
  drill: () => import('../../lambdas/drill/handler'),
  'row-recovery': () => import('../../lambdas/row-recovery/handler'),
  verify: () => import('../../lambdas/verify/handler'),
  warm: () => import('../../lambdas/warm/handler'),
} satisfies Record<string, () => Promise<HandlerModule>>;

/** Starts a function as Lambda does: its module is loaded afresh with the environment in place. */
async function start(name: keyof typeof load, environment: Record<string, string>): Promise<HandlerModule> {
  jest.replaceProperty(process, 'env', { ...process.env, ...environment });
  let started: HandlerModule | undefined;
  await jest.isolateModulesAsync(async () => {
    started = await load[name]();
  });
  if (!started) throw new Error(`There is no function ${name}`);
  return started;
}

afterEach(() => {
  jest.restoreAllMocks();
});

test.each([
  ['drill', 'BILLING_RESTORE_TARGET_MINUTES', '1h', 'a whole number from 1 to 10080'],
  ['row-recovery', 'ARCHIVE_BUCKET', '', 'the name of the archive bucket'],
  ['verify', 'MAIN_DATABASE_PORT', '0', 'a whole number from 1 to 65535'],
] as const)(
  '%s does not start with a malformed %s, and says what it should be',
  async (name, variable, value, form) => {
    await expect(start(name, { ...ENVIRONMENT, [variable]: value })).rejects.toMatchObject({
      code: 'configuration',
      message: `environment variable ${variable} is malformed: expected ${form}`,
    });
  },
);

const report = { action: 'report', database: 'billing', archive: 'latest', tables: ['billing.charges'] };
const drillStep = { database: 'billing', startedAt: '2026-11-21T06:00:00Z' };
const merge = { action: 'merge', database: 'billing', reportId: '20261121T061500Z-1f0c9a3e', choose: 'deleted' };

test.each<[keyof typeof load, string, unknown]>([
  ['drill', 'database: expected `billing` or `main`', { database: 'analytics' }],
  [
    'drill',
    'finishedAt: missing; expected text',
    { ...drillStep, step: 'record', slot: '2026-11-21T06:00:00Z', manifestSha256: '0' },
  ],
  ['verify', 'warm: unknown; expected database, targetDatabase, host, port', { database: 'main', warm: true }],
  ['warm', 'database: expected `billing` or `main`', { database: 'analytics' }],
  ['warm', 'continueFrom: expected an object', { database: 'main', continueFrom: 'the last one' }],
  ['warm', 'stopAtMs: expected more than 0', { database: 'main', stopAtMs: 0 }],
  ['row-recovery', 'action: missing; expected `check`, `report`, `merge` or `show`', { database: 'billing' }],
  ['row-recovery', 'archive: expected `latest`, or the ISO 8601 time', { ...report, archive: 'newest' }],
  ['row-recovery', 'notAfter: expected an ISO 8601 time', { ...report, notAfter: 'noon' }],
  ['row-recovery', 'tables: expected at least 1 entry', { ...report, tables: [] }],
  [
    'row-recovery',
    'where.0.operator: expected `=`, `<>`',
    { ...report, where: [{ column: 'id', operator: '; DROP TABLE', value: 1 }] },
  ],
  ['row-recovery', 'reportId: expected the id of a report', { ...merge, reportId: '../archives/billing' }],
  ['row-recovery', 'choose: expected `deleted`, or a list of ids', { ...merge, choose: 'everything' }],
  ['row-recovery', 'confirm: type the name of the database, billing', { ...merge, confirm: 'main' }],
])('%s refuses a request with the reason "%s…" before it connects to anything', async (name, reason, request) => {
  const { handler } = await start(name, ENVIRONMENT);
  // The refusal's log and metrics.
  jest.spyOn(process.stdout, 'write').mockReturnValue(true);
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const refusal = handler(request, CONTEXT);
  await expect(refusal).rejects.toMatchObject({ code: 'invalid_request' });
  await expect(refusal).rejects.toThrow(reason);
});
