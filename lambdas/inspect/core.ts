import type { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import type { ClientBase } from 'pg';
import type { DatabaseName } from '../../core/contract';
import { type DatabaseConnector, withConnection } from '../../core/database/connector';
import { readActivity } from './activity';
import { listRaisedAlarms } from './alarms';
import { listRecords } from './audit-records';
import { listArchives, readArchive } from './archives';
import { readBitcoin } from './bitcoin';
import type { CheckedInspectRequest, InspectReport } from './contract';
import { describeServer } from './describe-server';
import { listEvents, readEvent } from './events';
import { readFigures } from './figures';
import { listFindings, listRuns } from './ledger';
import { listPayouts } from './payouts';
import { listQueries } from './queries';
import { listSchemaChanges } from './schema-changes';
import { listDrills, listSessions, listTables } from './server';
import { readStatus, type StatusDependencies } from './status';

export interface InspectDependencies extends Omit<StatusDependencies, 'read'> {
  readonly connectors: Readonly<Record<DatabaseName, DatabaseConnector>>;
  readonly cloudWatch: CloudWatchClient;
  /** With which the names of the environment's alarms begin. */
  readonly alarmPrefix: string;
}

/** A question must not slow the work: one that takes longer is given up. */
const STATEMENT_TIMEOUT = '15s';

/**
 * Answers a question about the state of the platform.
 *
 * @throws OperationError `database_unavailable` or `store_unavailable` (both retryable), why an archive cannot be read, or what
 * PostgreSQL threw. A
 * `status` names what it could not look up instead
 */
export async function inspect(
  { connectors, cloudWatch, alarmPrefix, ...dependencies }: InspectDependencies,
  request: CheckedInspectRequest,
): Promise<InspectReport> {
  const read = <T>(database: DatabaseName, work: (client: ClientBase) => Promise<T>): Promise<T> =>
    withConnection(connectors[database], async (client) => {
      await client.query(`SET default_transaction_read_only = on; SET statement_timeout = '${STATEMENT_TIMEOUT}'`);
      return work(client);
    });
  switch (request.action) {
    case 'status':
      return readStatus({ ...dependencies, read });
    case 'activity':
      return read('billing', (client) => readActivity(client, request, dependencies.clock()));
    case 'alarms':
      return listRaisedAlarms(cloudWatch, alarmPrefix);
    case 'bitcoin':
      return read('billing', (client) => readBitcoin(client, request, dependencies.clock()));
    case 'archives':
      return listArchives(dependencies.store, request.database, request.limit);
    case 'archive':
      return readArchive(dependencies.store, request);
    case 'schema-changes':
      return listSchemaChanges(dependencies.store, request);
    case 'event':
      return read('billing', (client) => readEvent(client, request));
    case 'queries':
      return read(request.database, (client) => listQueries(client, request.database, request.limit));
    case 'server':
      return read(request.database, (client) => describeServer(client, request.database));
    case 'events':
      return read('billing', (client) => listEvents(client, request));
    case 'reconciliations':
      return read('billing', (client) => listRuns(client, request.limit));
    case 'findings':
      return read('billing', (client) => listFindings(client, request));
    case 'figures':
      return read('billing', (client) => readFigures(client, request, dependencies.clock()));
    case 'payouts':
      return read('billing', (client) => listPayouts(client, request, dependencies.clock()));
    case 'records':
      return read(request.database, (client) => listRecords(client, request));
    case 'drills':
      return read(request.database, (client) => listDrills(client, request.database, request.limit));
    case 'tables':
      return read(request.database, (client) => listTables(client, request.database, request.limit));
    default:
      return read(request.database, (client) => listSessions(client, request.database));
  }
}
