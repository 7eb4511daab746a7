import { applyCopySettings } from '../../core/archive/copy-session';
import { type DatabaseConnector, withConnection } from '../../core/database/connector';
import { assertIdentity } from '../../core/database/identity';
import { assertConditions } from './conditions';
import type { RowRecoveryCheckReport, RowRecoveryCheckRequest } from './contract';
import { describeTables, nameOf, relatedTables } from './tables';

/**
 * Checks tables and conditions of a report against the live database, which is only read: what would be refused once an
 * instance was restored for it is refused before.
 *
 * @throws InvalidRequestError naming the malformed table, column or value
 * @throws OperationError `wrong_database`, `no_primary_key`, or `database_unavailable` (retryable)
 */
export async function checkTables(
  connector: DatabaseConnector,
  request: Pick<RowRecoveryCheckRequest, 'tables' | 'where'>,
): Promise<RowRecoveryCheckReport> {
  const database = connector.target.name;
  return withConnection(connector, async (live) => {
    await applyCopySettings(live);
    await assertIdentity(live, database);
    const tables = await describeTables(live, request.tables);
    await assertConditions(live, tables, request.where ?? []);
    return { database, checked: tables.map(nameOf), related: await relatedTables(live, tables) };
  });
}
