import { pipeline } from 'node:stream/promises';
import { escapeIdentifier, type Client } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { listTables, readSequences } from '../../core/archive/catalog';
import { applyCopySettings, columnList, qualified } from '../../core/archive/copy-session';
import type { DatabaseConnector } from '../../core/database/connector';
import { withConnection } from '../../core/database/connector';
import { restoreDatabaseOwner, restoreDatabaseSettings } from '../../core/schema/apply/database';
import { Deviations } from '../../core/schema/apply/deviations';
import { assertRestorable } from '../../core/schema/apply/preflight';
import { applyAfter, applyBefore } from '../../core/schema/apply/restore-schema';
import { restoreRoles, type RolesReport } from '../../core/schema/apply/roles';
import { readSchema } from '../../core/schema/read-schema';
import type { CapturedSchema, Deviation } from '../../core/schema/contract';

export interface SchemaRestore {
  readonly deviations: Deviation[];
  readonly roles: RolesReport;
}

/**
 * Restores a captured schema into a new database, with the rows of its source, in the order of a restore.
 *
 * @param target connector of the role that restores; its database is a maintenance database
 * @param source what rows and sequences are copied from; @default none, the tables stay empty
 */
export async function restoreSchema(
  target: DatabaseConnector,
  captured: CapturedSchema,
  database: string,
  source?: DatabaseConnector,
): Promise<SchemaRestore> {
  const schema = readSchema(captured);
  const deviations = new Deviations();
  const { facts } = schema;
  const roles = await withConnection(target, async (client) => {
    await assertRestorable(client, facts);
    const report = await restoreRoles(client, facts, deviations);
    await client.query(`CREATE DATABASE ${escapeIdentifier(database)} TEMPLATE template0`);
    await restoreDatabaseSettings(client, database, facts.database, deviations);
    return report;
  });
  await withConnection(target, (client) => applyBefore(client, schema, deviations), database);
  if (source) await copyRows(source, target, database);
  await withConnection(target, (client) => applyAfter(client, schema, deviations), database);
  await withConnection(target, (client) => restoreDatabaseOwner(client, database, facts.database, deviations));
  return { deviations: deviations.all(), roles };
}

async function copyRows(source: DatabaseConnector, target: DatabaseConnector, database: string): Promise<void> {
  await withConnection(source, (reader) => withConnection(target, (writer) => copyBetween(reader, writer), database));
}

async function copyBetween(reader: Client, writer: Client): Promise<void> {
  await Promise.all([applyCopySettings(reader), applyCopySettings(writer)]);
  for (const table of await listTables(reader)) {
    const columns = columnList(table.columns);
    const name = qualified(table);
    await pipeline(
      reader.query(copyTo(`COPY (SELECT ${columns} FROM ONLY ${name}) TO STDOUT`)),
      writer.query(copyFrom(`COPY ${name} ${columns === '' ? '' : `(${columns})`} FROM STDIN`)),
    );
  }
  for (const sequence of await readSequences(reader)) {
    await writer.query('SELECT setval($1::regclass, $2, $3)', [
      qualified(sequence),
      sequence.lastValue,
      sequence.isCalled,
    ]);
  }
}
