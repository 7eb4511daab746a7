import path from 'node:path';
import type { Client } from 'pg';
import { type DatabaseConnector, withConnection } from '../../core/database/connector';
import { captureCurrent } from '../../core/schema/capture';
import type { CapturedSchema } from '../../core/schema/contract';
import { type DumpOptions, dumpSchema, prepareDumpSession } from '../../core/schema/dump/pg-dump';
import { prepareSession } from '../../core/database/session';
import type { TestDatabase } from './database';

/** The worker's source, which Node runs as it is; a bundle ships it compiled. */
export const PG_DUMP_WORKER = path.join(__dirname, '../../core/schema/dump/pg-dump-worker.mts');

/** Runs `work` with a snapshot that is exported for as long as it lasts. */
export async function withSnapshot<T>(
  database: TestDatabase,
  work: (snapshot: string, leader: Client) => Promise<T>,
): Promise<T> {
  return withConnection(database.connector, async (leader) => {
    await prepareSession(leader, 0);
    await leader.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const { rows } = await leader.query<{ id: string }>('SELECT pg_export_snapshot() AS id');
    return work(rows[0]?.id ?? '', leader);
  });
}

export interface DumpOfOptions extends Partial<DumpOptions> {
  /** @default the database's */
  readonly connector?: DatabaseConnector;
}

/** The text of pg_dump for the database as it is now, or as of a snapshot. */
export async function dumpOf(database: TestDatabase, { connector, ...options }: DumpOfOptions = {}): Promise<string> {
  return withSnapshot(database, (snapshot) =>
    withConnection(connector ?? database.connector, async (client) => {
      await prepareDumpSession(client);
      return dumpSchema(client, { snapshot, restrictKey: 'key', workerFile: PG_DUMP_WORKER, ...options });
    }),
  );
}

/** The schema of the database as it is now. */
export async function captureOf(database: TestDatabase): Promise<CapturedSchema> {
  return captureThrough(database.connector);
}

/** The schema of a database as it is now, which need not be one of the test cluster's. */
export async function captureThrough(connector: DatabaseConnector, database?: string): Promise<CapturedSchema> {
  return captureCurrent({ connector, database, workerFile: PG_DUMP_WORKER });
}
