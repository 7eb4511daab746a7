import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { BackupRequest } from '../../lambdas/backup/contract';
import type { CleanupRequest } from '../../lambdas/cleanup/contract';
import type { DrillRequest } from '../../lambdas/drill/contract';
import type { EntitlementsRequest } from '../../lambdas/entitlements/contract';
import type { MigrateRequest } from '../../lambdas/migrate/contract';
import type { ReconciliationRequest } from '../../lambdas/reconciliation/contract';
import type { ReplayRequest } from '../../lambdas/replay/contract';
import { replayRequest } from '../../lambdas/replay/request';
import type { VerifyRequest } from '../../lambdas/verify/contract';
import { createTestDatabase, type TestDatabase } from '../support/database';

const RUNBOOK = readFileSync(path.join(__dirname, '../../docs/runbook.md'), 'utf8');

/** What on-call is told to ask of each function; the compiler holds it against the function's contract. */
interface Requests {
  readonly backup: BackupRequest;
  readonly cleanup: CleanupRequest;
  readonly collector: Record<string, never>;
  readonly drill: DrillRequest;
  readonly entitlements: EntitlementsRequest;
  readonly migrate: MigrateRequest;
  readonly reconciliation: ReconciliationRequest;
  readonly replay: ReplayRequest;
  readonly verify: VerifyRequest;
}

const REQUESTS: { readonly [Stem in keyof Requests]: readonly Requests[Stem][] } = {
  backup: [{ database: 'billing' }],
  cleanup: [{ dryRun: true }, {}],
  collector: [{}],
  drill: [{ database: 'billing' }],
  entitlements: [
    { action: 'recompute', scope: 'all' },
    { action: 'read', userId: '<user>', projectId: '<project>' },
  ],
  migrate: [{ database: 'billing', action: 'apply' }],
  reconciliation: [{}, { dryRun: true }],
  replay: [
    { action: 'redrive' },
    { action: 'redrive', dryRun: false },
    { action: 'retry', events: ['evt_123'], dryRun: false },
    { action: 'retry', events: 'failed', dryRun: false },
    { action: 'gaps', from: '2026-11-20T00:00:00Z' },
  ],
  verify: [{ database: 'billing' }],
};

/** `invoke <function> '<json>'`, as the runbook writes it. A line break in the text is a space. */
const commands = [...RUNBOOK.matchAll(/\binvoke ([\w-]+)\s+'([^']*)'/g)].map(
  ([, stem = '', payload = '']) => [stem, payload.replaceAll(/\s+/g, ' ')] as const,
);

test('each start of a function in the runbook is a request that the function takes', () => {
  expect(commands.length).toBeGreaterThan(20);
  for (const [stem, payload] of commands) {
    const known: readonly unknown[] = REQUESTS[stem as keyof Requests] ?? [];
    expect([stem, known]).toEqual([stem, expect.arrayContaining([JSON.parse(payload)])]);
  }
  for (const request of REQUESTS.replay) expect(replayRequest.safeParse(request)).toMatchObject({ success: true });
});

test('each function whose log or failure queue the runbook reads is there to be read', () => {
  const folder = path.join(__dirname, '../../lambdas');
  for (const [, stem] of RUNBOOK.matchAll(/`logs ([a-z-]+)/g)) {
    expect(() => readFileSync(path.join(folder, stem ?? '', 'handler.ts'))).not.toThrow();
  }
  for (const [, queue] of RUNBOOK.matchAll(/`peek\s+([a-z-]+)/g)) {
    expect(queue).toMatch(/^(parked|(backup|cleanup|collector|drill|reconciliation)-failures)$/);
  }
});

/** Runs a command after the runbook's own definitions, with an `aws` that shows what it is called with. */
function shell(command: string): string {
  const [definitions = ''] = [...RUNBOOK.matchAll(/```bash\n([^`]+)```/g)].map(([, block = '']) => block);
  const aws = `aws() { case "$2" in get-*) echo "<$1 $2>";; *) echo "aws $*";; esac; }`;
  const { status, stdout, stderr } = spawnSync('bash', ['-ec', `${aws}\n${definitions}\n${command}`], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return stdout.trim();
}

test('the definitions at its beginning do what they say', () => {
  expect(shell(`invoke backup '{"database": "billing"}'`)).toBe(
    'aws lambda invoke --function-name BillingOps-production-backup --cli-binary-format raw-in-base64-out ' +
      '--cli-read-timeout 900 --payload {"database": "billing"} /dev/stdout',
  );
  expect(shell('logs backup 1d')).toBe('aws logs tail --since 1d <lambda get-function-configuration>');
  expect(shell('logs backup')).toContain('--since 3h');
  expect(shell('peek parked')).toContain('--visibility-timeout 0 --queue-url <sqs get-queue-url>');
  expect(shell('secrets')).toContain('--stack-name BillingOps-production-Data');
});

test('every block of commands is well-formed', () => {
  const blocks = [...RUNBOOK.matchAll(/```bash\n([^`]+)```/g)].map(([, block = '']) => block);
  expect(blocks.length).toBeGreaterThan(5);
  const { status, stderr } = spawnSync('bash', ['-n'], { input: blocks.join('\n'), encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
});

test('links within the runbook lead to a heading', () => {
  const anchors = [...RUNBOOK.matchAll(/^## (.+)$/gm)].map(([, title = '']) =>
    title.toLowerCase().replaceAll(' ', '-'),
  );
  for (const [, anchor] of RUNBOOK.matchAll(/\]\(#([\w-]+)\)/g)) expect(anchors).toContain(anchor);
});

describe('statements', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase('billing');
  });
  afterAll(() => database.drop());

  const statements = [...RUNBOOK.matchAll(/```sql\n([^`]+)```/g)].map(([, sql = '']) => sql.trim());

  test.each(statements)('%s runs on the migrated database', async (sql) => {
    const client = await database.client();
    // Planned, not run: one of them ends sessions.
    await expect(client.query(`EXPLAIN ${sql}`)).resolves.toBeDefined();
  });
});
