import * as z from 'zod';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Effect, OperationContract } from '../../core/runtime/contract';
import { readRequest } from '../../core/runtime/request';
import { contract as backup } from '../../lambdas/backup/contract';
import { contract as cleanup } from '../../lambdas/cleanup/contract';
import { contract as collector } from '../../lambdas/collector/contract';
import { contract as drill } from '../../lambdas/drill/contract';
import { contract as entitlements } from '../../lambdas/entitlements/contract';
import { contract as migrate } from '../../lambdas/migrate/contract';
import { contract as reconciliation } from '../../lambdas/reconciliation/contract';
import { contract as replay } from '../../lambdas/replay/contract';
import { contract as verify } from '../../lambdas/verify/contract';
import { createTestDatabase, type TestDatabase } from '../support/database';

const RUNBOOK = readFileSync(path.join(__dirname, '../../docs/runbook.md'), 'utf8');

/** The request schemas of the functions that the runbook starts. */
const CONTRACTS: Readonly<Record<string, OperationContract>> = {
  backup,
  cleanup,
  collector,
  drill,
  entitlements,
  migrate,
  reconciliation,
  replay,
  verify,
};

/** `invoke <function> '<json>'`, as the runbook writes it. A line break in the text is a space. */
const commandsIn = (text: string) =>
  [...text.matchAll(/\binvoke ([\w-]+)\s+'([^']*)'/g)].map(
    ([, stem = '', payload = '']) => [stem, payload.replaceAll(/\s+/g, ' ')] as const,
  );
const commands = commandsIn(RUNBOOK);

test('each start of a function in the runbook is a request that the function takes', () => {
  expect(commands.length).toBeGreaterThan(20);
  for (const [stem, payload] of commands) {
    const { request = z.never() } = CONTRACTS[stem] ?? {};
    expect(() => readRequest(request, JSON.parse(payload))).not.toThrow();
  }
});

test('a resolution in the runbook that starts a changing function starts it for real, not only as a dry run', () => {
  const resolutions = [...RUNBOOK.matchAll(/^\*\*Resolve\.\*\*(?:.+\n)+/gm)].map(([text]) => commandsIn(text));
  const onlyDry = resolutions.flatMap((found) => {
    const changing = found.filter(([stem, payload]) => effectOf(stem, payload) === 'changes');
    const real = changing.filter(([, payload]) => payload.includes('"dryRun": false')).map(([stem]) => stem);
    return changing.filter(([stem]) => !real.includes(stem));
  });
  expect(resolutions.flat().length).toBeGreaterThan(10);
  expect(onlyDry).toEqual([]);
});

function effectOf(stem: string, payload: string): Effect | undefined {
  const effect = CONTRACTS[stem]?.effect;
  return typeof effect === 'object' ? effect[(JSON.parse(payload) as { readonly action: string }).action] : effect;
}

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
