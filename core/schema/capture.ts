import { randomBytes } from 'node:crypto';
import { escapeLiteral, type Client } from 'pg';
import { type DatabaseConnector, withConnection } from '../database/connector';
import type { SchemaFacts } from './contract';
import { dumpSchema, prepareDumpSession, type DumpOptions } from './dump/pg-dump';
import { readFacts } from './facts';
import { arrange } from './text/arrange';
import { type DumpText, parseDump, renderDump } from './text/dump-text';

/** A schema as an archive keeps it. */
export interface CapturedSchema {
  /** SQL to run before the rows are loaded; complete by itself, for psql too. */
  readonly before: string;
  /** SQL to run after them. */
  readonly after: string;
  /** What else the schema needs, for the manifest. */
  readonly facts: SchemaFacts;
}

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
  return withConnection(options.connector, (client) => captureOver(client, options), options.database);
}

/**
 * Captures the schema of a database as it is now.
 *
 * @throws OperationError as {@link captureSchema} does
 */
export async function captureCurrent(options: Omit<CaptureOptions, 'snapshot'>): Promise<CapturedSchema> {
  return withConnection(
    options.connector,
    async (leader) => {
      await prepareDumpSession(leader);
      await leader.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      const exported = await leader.query<{ id: string }>('SELECT pg_export_snapshot() AS id');
      return captureSchema({ ...options, snapshot: exported.rows[0]?.id ?? '' });
    },
    options.database,
  );
}

async function captureOver(client: Client, options: CaptureOptions): Promise<CapturedSchema> {
  const key = randomBytes(16).toString('hex');
  await prepareDumpSession(client);
  const text = await dumpSchema(client, { ...options, restrictKey: key });
  const dump = parseDump(text, 'The text of pg_dump');
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  await client.query(`SET TRANSACTION SNAPSHOT ${escapeLiteral(options.snapshot)}`);
  const facts = await readFacts(client, key, ownersOf(dump));
  const { rows: populated } = await client.query<{ schema: string; name: string }>(
    'SELECT schemaname AS schema, matviewname AS name FROM pg_matviews WHERE ispopulated',
  );
  const commentedExtensions = new Set(facts.extensions.filter((one) => one.ownComment).map((one) => one.name));
  const { before, after } = arrange(dump, { populated, commentedExtensions });
  return { before: renderDump(before), after: renderDump(after), facts };
}

function ownersOf({ entries }: DumpText): string[] {
  return [...new Set(entries.flatMap(({ owner }) => owner ?? []))];
}
