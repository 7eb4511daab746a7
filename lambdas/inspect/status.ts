import { GetQueueAttributesCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { ClientBase } from 'pg';
import { newestBackup } from '../../core/archive/newest-backup';
import type { SignedStore } from '../../core/archive/signed-manifest';
import { failedSubscriptionsPercent } from '../../core/billing/failed-subscriptions';
import { GRACE_HOURS, type DatabaseName } from '../../core/contract';
import { connectionsUsedPercent, databaseSizeBytes } from '../../core/database/server-gauges';
import { readJournal } from '../../core/migrations/journal';
import { CANARY_EVENT } from '../../core/providers/contract';
import { recordedFindings } from '../../core/restore/contract';
import { messageOf } from '../../core/runtime/errors';
import { currentSince } from '../../core/runtime/secret-age';
import type { InspectionReport } from './contract';

type Status = InspectionReport<'status'>;
type SecretName = Status['secrets'][number]['secret'];

export interface StatusDependencies {
  /** Runs `work` with a read-only connection. */
  readonly read: <T>(database: DatabaseName, work: (client: ClientBase) => Promise<T>) => Promise<T>;
  readonly store: SignedStore;
  readonly sqs: SQSClient;
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
  readonly secretsManager: SecretsManagerClient;
  readonly secretArns: Readonly<Partial<Record<SecretName, string>>>;
  readonly frequencyHours: Readonly<Record<DatabaseName, number>>;
  readonly clock: () => Date;
}

const HOUR_SECONDS = 3600;

/** How everything is. What cannot be looked up is named in `problems`; the rest is answered. */
export async function readStatus(dependencies: StatusDependencies): Promise<Status> {
  const problems: string[] = [];
  const attempt = async <T>(label: string, look: () => Promise<T>): Promise<T | null> => {
    try {
      return await look();
    } catch (error) {
      problems.push(`${label}: ${messageOf(error)}`);
      return null;
    }
  };
  const { read } = dependencies;
  const [billing, main, ledger, queues, secrets] = await Promise.all([
    statusOfDatabase(dependencies, 'billing', attempt),
    statusOfDatabase(dependencies, 'main', attempt),
    attempt('ledger', () => read('billing', readLedger)),
    attempt('queues', () => readQueues(dependencies)),
    readSecrets(dependencies, attempt),
  ]);
  return {
    action: 'status',
    at: dependencies.clock().toISOString(),
    databases: [billing, main],
    events: ledger?.events ?? null,
    queues,
    reconciliation: ledger?.reconciliation ?? null,
    money: ledger?.money ?? null,
    ...(ledger?.erasures && { erasures: ledger.erasures }),
    secrets,
    problems,
  };
}

type Attempt = <T>(label: string, look: () => Promise<T>) => Promise<T | null>;

async function statusOfDatabase(
  { read, store, frequencyHours }: StatusDependencies,
  database: DatabaseName,
  attempt: Attempt,
): Promise<Status['databases'][number]> {
  const [server, newest] = await Promise.all([
    attempt(database, () => read(database, readServer)),
    attempt(`archives of ${database}`, async () => (await newestBackup(store, database))?.toISOString() ?? null),
  ]);
  return {
    database,
    sizeBytes: server?.sizeBytes ?? null,
    connectionsPercent: server?.connectionsPercent ?? null,
    schemaVersion: server?.schemaVersion ?? null,
    newestArchive: newest,
    archiveLimitSeconds: (frequencyHours[database] + GRACE_HOURS) * HOUR_SECONDS,
    lastDrill: server?.lastDrill ?? null,
    madeAt: server?.madeAt ?? null,
    maintenance: server?.maintenance ?? [],
  };
}

async function readServer(client: ClientBase) {
  const sizeBytes = await databaseSizeBytes(client);
  const connectionsPercent = await connectionsUsedPercent(client);
  const journal = await readJournal(client);
  const drills = await client.query<{ started_at: Date; outcome: string; error: string | null }>(
    'SELECT started_at, outcome, error FROM operations.drills ORDER BY started_at DESC LIMIT 1',
  );
  const [drill] = drills.rows;
  const lastDrill = drill
    ? { startedAt: drill.started_at.toISOString(), outcome: drill.outcome, findings: recordedFindings(drill) }
    : null;
  const maintenance = await readMaintenance(client);
  return { sizeBytes, connectionsPercent, schemaVersion: journal.at(-1)?.name ?? null, lastDrill, ...maintenance };
}

async function readMaintenance(
  client: ClientBase,
): Promise<Pick<Status['databases'][number], 'madeAt' | 'maintenance'>> {
  const identity = await client.query<{ at: Date }>('SELECT stamped_at AS at FROM operations.database_identity');
  // As the gauge of the collector has it: a task that left something out has run.
  const tasks = await client.query<{ task: string; at: Date }>(
    `SELECT task, max(started_at) AS at FROM operations.maintenance_runs
     WHERE outcome IN ('done', 'partial') GROUP BY task ORDER BY task`,
  );
  return {
    madeAt: identity.rows[0]?.at.toISOString() ?? null,
    maintenance: tasks.rows.map(({ task, at }) => ({ task, at: at.toISOString() })),
  };
}

async function readLedger(
  client: ClientBase,
): Promise<Pick<Status, 'events' | 'reconciliation' | 'money' | 'erasures'>> {
  const events = await client.query<{ failed: number; unfinished: number; last_hour: number; newest_at: Date | null }>(
    `SELECT count(*) FILTER (WHERE status = 'failed')::int AS failed,
       count(*) FILTER (WHERE status IN ('received', 'processing'))::int AS unfinished,
       (SELECT count(*) FROM billing.webhook_events WHERE occurred_at > now() - interval '1 hour' AND type <> $1)::int AS last_hour,
       (SELECT occurred_at FROM billing.webhook_events WHERE type <> $1 ORDER BY occurred_at DESC LIMIT 1) AS newest_at
     FROM billing.webhook_events WHERE status IN ('received', 'processing', 'failed')`,
    // The platform's own say nothing about the provider.
    [CANARY_EVENT.type],
  );
  const runs = await client.query<{ started_at: Date; status: string; complete_at: Date | null }>(
    `SELECT started_at, status, (SELECT max(started_at) FROM billing.reconciliation_runs
       WHERE status = 'complete' AND NOT dry_run) AS complete_at
     FROM billing.reconciliation_runs ORDER BY started_at DESC LIMIT 1`,
  );
  const refundsToday = await client.query<{ currency: string; refunds: number; amount: string }>(
    `SELECT currency, count(*)::int AS refunds, sum(amount)::text AS amount FROM billing.refund_entries
     WHERE recorded_at >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
     GROUP BY currency ORDER BY currency`,
  );
  const erasures = await client.query<{ open: number; since: Date | null }>(
    `SELECT count(*)::int AS open, min(erased_at) AS since FROM billing.erasures
     WHERE finished_at IS NULL OR main_at IS NULL OR reports_at IS NULL`,
  );
  const [counts] = events.rows;
  const [run] = runs.rows;
  const [unfinished] = erasures.rows;
  return {
    events: counts
      ? {
          failed: counts.failed,
          unfinished: counts.unfinished,
          lastHour: counts.last_hour,
          newestAt: counts.newest_at?.toISOString() ?? null,
        }
      : null,
    reconciliation: run
      ? {
          startedAt: run.started_at.toISOString(),
          status: run.status,
          completeAt: run.complete_at?.toISOString() ?? null,
        }
      : null,
    money: { failedSubscriptionsPercent: await failedSubscriptionsPercent(client), refundsToday: refundsToday.rows },
    ...(unfinished?.since && { erasures: { open: unfinished.open, since: unfinished.since.toISOString() } }),
  };
}

async function readQueues({ sqs, queueUrl, deadLetterQueueUrl }: StatusDependencies): Promise<Status['queues']> {
  const count = async (QueueUrl: string): Promise<number> => {
    const { Attributes: attributes = {} } = await sqs.send(
      new GetQueueAttributesCommand({
        QueueUrl,
        AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
      }),
    );
    const { ApproximateNumberOfMessages: visible = 0, ApproximateNumberOfMessagesNotVisible: taken = 0 } = attributes;
    return Number(visible) + Number(taken);
  };
  return { waiting: await count(queueUrl), parked: await count(deadLetterQueueUrl) };
}

function readSecrets({ secretsManager, secretArns }: StatusDependencies, attempt: Attempt): Promise<Status['secrets']> {
  const entries = Object.entries(secretArns) as [SecretName, string][];
  return Promise.all(
    entries.map(async ([secret, arn]) => ({
      secret,
      changedAt: await attempt(`secret ${secret}`, async () => (await currentSince(secretsManager, arn)).toISOString()),
    })),
  );
}
