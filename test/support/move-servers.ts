import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { readFileSync, rmSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { Client } from 'pg';
import { addressOf } from '../../core/database/contract';
import { createConnector, type DatabaseConnector, type DatabaseTarget } from '../../core/database/connector';
import { applyMigrations } from '../../core/migrations/runner';
import { type ChangeReport, moveRequest, type MoveRequest, type PlanReport } from '../../lambdas/move/contract';
import { move } from '../../lambdas/move/core';
import type { Connected } from '../../lambdas/move/servers';
import { createSecretStore, type SecretStore } from '../../lambdas/move/secret-store';
import { startSecretsManager } from '../../local/aws/secrets-manager';
import { type Cluster, startCluster } from '../../local/postgres/cluster';
import { PG_DUMP_WORKER } from './schema';
import { silentLog } from './log';
import { secretsOf } from './roles';

export type Place = 'old' | 'new';
/** Like RDS's master user, no superuser. */
const ADMINISTRATOR = { username: 'operations', password: 'administrator' } as const;
/** A login of functions, whose secret a move writes as well. */
const LOGIN = { username: 'billing_service', password: 'service' } as const;
const SETTINGS = ['wal_level=logical', 'shared_preload_libraries=pg_stat_statements', 'log_statement=all'];

/** Two servers between which billing moves, and a move whose steps run in this process. */
export interface MoveServers {
  readonly clusters: Readonly<Record<Place, Cluster>>;
  readonly secrets: SecretStore;
  readonly arns: Readonly<Record<Place | 'login', string>>;
  /** Takes a step. @param configured the server that the configuration names; @default old */
  step(request: MoveRequest, configured?: Place): Promise<ChangeReport>;
  /** Takes a step with the address that it asks for. */
  confirmed(request: MoveRequest, configured?: Place): Promise<ChangeReport>;
  plan(configured?: Place): Promise<PlanReport>;
  /** Rows of statements as the administrator, or as the superuser. */
  rows(place: Place, sql: string, user?: 'administrator' | 'superuser', database?: string): Promise<unknown[]>;
  connect(place: Place, user?: 'administrator' | 'superuser'): Promise<Client>;
  connector(place: Place): DatabaseConnector;
  /** A server with an open connection, which the caller ends. */
  side(place: Place): Promise<Connected>;
  /** Has a secret rotate at that time, or not at all. */
  schedule(secret: Place | 'login', next: Date | undefined): void;
  /** Ends a server at once, as a crash of its machine would. */
  crash(place: Place): void;
  stop(): Promise<void>;
}

async function prepare(cluster: Cluster, ca: string): Promise<void> {
  const { host, port, user, password } = cluster;
  const { username, password: word } = ADMINISTRATOR;
  for (const [database, sql] of [
    // RDS's administrator may create it; here that takes a superuser, and every new database has it from this template.
    ['postgres', 'ALTER DATABASE template0 ALLOW_CONNECTIONS true; CREATE EXTENSION pg_stat_statements'],
    ['template0', 'CREATE EXTENSION pg_stat_statements'],
    ['postgres', 'ALTER DATABASE template0 ALLOW_CONNECTIONS false'],
    [
      'postgres',
      `CREATE ROLE ${username} LOGIN CREATEDB CREATEROLE REPLICATION PASSWORD '${word}';
       GRANT pg_monitor TO ${username} WITH ADMIN OPTION;
       GRANT pg_signal_backend, pg_create_subscription TO ${username}`,
    ],
    ['postgres', `CREATE DATABASE billing OWNER ${username} TEMPLATE template0`],
  ] as const) {
    const client = new Client({ host, port, user, password, database, ssl: { ca } });
    await client.connect();
    await client.query(sql);
    await client.end();
  }
}

/**
 * Starts both servers; the old one has billing, migrated.
 *
 * @param oldPackage folder with the programs of the old server. @default those of the version in use
 */
export async function startMoveServers(oldPackage?: string): Promise<MoveServers> {
  const directory = await mkdtemp(path.join(tmpdir(), 'billing-operations-move-'));
  await chmod(directory, 0o711);
  const manager = await startSecretsManager();
  const [old, other] = await Promise.all(
    ['old', 'new'].map((name) =>
      startCluster({
        directory: path.join(directory, name),
        durable: false,
        tls: true,
        settings: SETTINGS,
        ...(name === 'old' && oldPackage !== undefined ? { packageFolder: oldPackage } : {}),
      }),
    ),
  );
  if (old === undefined || other === undefined) throw new Error('a cluster is missing');
  const clusters = { old, new: other };
  const arns = { old: 'old-secret', new: 'new-secret', login: 'login-secret' };
  const authorities = { old: '', new: '' };
  for (const place of ['old', 'new'] as const) {
    authorities[place] = readFileSync(clusters[place].caFile ?? '', 'utf8');
    await prepare(clusters[place], authorities[place]);
    manager.put(arns[place], ADMINISTRATOR);
  }
  manager.put(arns.login, LOGIN);
  setDefaultCACertificates([...getCACertificates('default'), ...Object.values(authorities)]);
  const client = new SecretsManagerClient({
    endpoint: manager.endpoint,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const secrets = createSecretStore(client);
  const targetOf = (place: Place): DatabaseTarget => {
    const { host, port } = clusters[place];
    return { name: 'billing', host, port, database: 'billing', secretArn: arns[place] };
  };
  const connectorTo = (place: Place) =>
    createConnector(targetOf(place), secretsOf(ADMINISTRATOR.username, ADMINISTRATOR.password), 'move', {
      plainSession: true,
    });
  const take = (request: MoveRequest, configured: Place) =>
    move(
      {
        configured: connectorTo(configured),
        other: connectorTo(configured === 'old' ? 'new' : 'old'),
        from: [addressOf(targetOf(configured))],
        loginSecrets: { service: arns.login },
        secrets,
        clock: () => new Date(),
        log: silentLog,
        remainingMs: () => 60_000,
        pgDumpWorker: PG_DUMP_WORKER,
      },
      moveRequest.parse(request),
    );
  const step = async (request: MoveRequest, configured: Place = 'old') =>
    (await take(request, configured)) as ChangeReport;

  async function connect(place: Place, user = 'administrator', database = 'billing'): Promise<Client> {
    const { host, port, user: superuser, password } = clusters[place];
    const login =
      user === 'administrator'
        ? { user: ADMINISTRATOR.username, password: ADMINISTRATOR.password }
        : { user: superuser, password };
    const connection = new Client({ host, port, database, ...login, ssl: { ca: authorities[place] } });
    connection.on('error', () => undefined);
    await connection.connect();
    return connection;
  }
  const migrating = await connect('old');
  await applyMigrations(migrating, 'billing', path.resolve(__dirname, '../../migrations/billing'));
  await migrating.query(`CREATE ROLE ${LOGIN.username} LOGIN`);
  await migrating.end();
  return {
    clusters,
    secrets,
    arns,
    step,
    confirmed: async (request, configured) =>
      step({ ...request, confirm: (await step(request, configured)).confirmWith } as MoveRequest, configured),
    plan: async (configured = 'old') => (await take({ action: 'plan' }, configured)) as PlanReport,
    async rows(place, sql, user, database) {
      const connection = await connect(place, user, database);
      try {
        return (await connection.query<Record<string, unknown>>(sql)).rows;
      } finally {
        await connection.end();
      }
    },
    connect,
    connector: connectorTo,
    side: async (place) => ({ connector: connectorTo(place), name: place, client: await connect(place) }),
    schedule: (secret, next) => manager.schedule(arns[secret], next),
    crash: (place) => void process.kill(clusters[place].pid, 'SIGQUIT'),
    async stop() {
      client.destroy();
      await Promise.all([old.stop(), other.stop(), manager.stop()]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
