import { randomBytes } from 'node:crypto';
import { escapeLiteral, type Client } from 'pg';
import { type DatabaseConnector, withConnection } from '../database/connector';
import type { CapturedSchema } from './contract';
import { dumpSchema, prepareDumpSession, type DumpOptions } from './dump/pg-dump';
import { readFacts } from './facts';
import { arrange } from './text/arrange';
import type { ReadSchema } from './read-schema';
import { type DumpText, parseDump, renderDump } from './text/dump-text';

export interface CaptureOptions extends Omit<DumpOptions, 'restrictKey'> {
  readonly connector: DatabaseConnector;
  /** Another database of the server. @default the connector's */
  readonly database?: string;
}

/**
 * Captures the schema of a database, as of a snapshot, with everything that belongs to it but rows.
 *
 * What cannot be carried is named in `facts.omissions`.
 *
 * @throws OperationError as {@link dumpSchema} does; `unsupported_content` for a schema that cannot be restored in the
 * order before → rows → after
 */
export async function captureSchema(options: CaptureOptions): Promise<CapturedSchema> {
  return rendered(await readAt(options));
}

/**
 * Captures the schema of a database as it is now.
 *
 * @throws OperationError as {@link captureSchema} does
 */
export async function captureCurrent(options: Omit<CaptureOptions, 'snapshot'>): Promise<CapturedSchema> {
  return rendered(await readCurrent(options));
}

/**
 * The schema of a database as it is now, taken apart: for who compares or applies it, and keeps no text.
 *
 * @throws OperationError as {@link captureSchema} does
 */
export async function readCurrent(options: Omit<CaptureOptions, 'snapshot'>): Promise<ReadSchema> {
  return withConnection(
    options.connector,
    async (leader) => {
      await prepareDumpSession(leader);
      await leader.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      const exported = await leader.query<{ id: string }>('SELECT pg_export_snapshot() AS id');
      return readAt({ ...options, snapshot: exported.rows[0]?.id ?? '' });
    },
    options.database,
  );
}

function rendered({ before, after, facts }: ReadSchema): CapturedSchema {
  return { before: renderDump(before), after: renderDump(after), facts };
}

function readAt(options: CaptureOptions): Promise<ReadSchema> {
  return withConnection(options.connector, (client) => readOver(client, options), options.database);
}

async function readOver(client: Client, options: CaptureOptions): Promise<ReadSchema> {
  const key = randomBytes(16).toString('hex');
  await prepareDumpSession(client);
  const dump = parseDump(await dumpSchema(client, { ...options, restrictKey: key }), 'The text of pg_dump');
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  await client.query(`SET TRANSACTION SNAPSHOT ${escapeLiteral(options.snapshot)}`);
  const facts = await readFacts(client, { key, lateChecks: options.lateChecks ?? true, owners: ownersOf(dump) });
  const { rows: populated } = await client.query<{ schema: string; name: string }>(
    'SELECT schemaname AS schema, matviewname AS name FROM pg_matviews WHERE ispopulated',
  );
  const commentedExtensions = new Set(facts.extensions.filter((one) => one.ownComment).map((one) => one.name));
  const { before, after } = arrange(dump, { populated, commentedExtensions });
  return { before, after, facts };
}

function ownersOf({ entries }: DumpText): string[] {
  return [...new Set(entries.flatMap(({ owner }) => owner ?? []))];
}
