import { each, type Failure, once, pair, run, single } from './failure';
import { nothing, ofDatabaseLog, ofFunction, ofInstance } from './published';

const ofScan = (metric: string) => ofFunction('maintenance', metric, { database: 'billing' });

/** Of the servers, and of what people do to them by hand. */
export function databaseFailures(): Failure[] {
  const main = { database: 'main' };
  return [
    ...pair('databaseSize', '… % of a disk are used', { warning: 85, critical: 95 }, 15, (percent) => ({
      [ofInstance('FreeStorageSpace', 'main')]: each(1e9 * (100 - percent)),
    })),
    ...pair('databaseCpu', 'a CPU is … % busy', { warning: 80, critical: 95 }, 35, (percent) => ({
      [ofInstance('CPUUtilization', 'main')]: each(percent),
    })),
    ...pair('databaseMemory', '… % of the memory are used', { warning: 85, critical: 95 }, 35, (percent) => ({
      [ofInstance('FreeableMemory', 'main')]: each(16e7 * (100 - percent)),
    })),
    ...pair('databaseConnections', '… % of the connections are used', { warning: 85, critical: 95 }, 20, (percent) => ({
      [ofFunction('collector', 'ConnectionsUsedPercent', main)]: run(percent),
    })),
    ...['billing', 'main'].map((database) =>
      single(
        `databaseUnreachable-${database}`,
        'the database does not answer',
        30,
        ofFunction('collector', 'ConnectionsUsedPercent', { database }),
        nothing,
      ),
    ),
    ...pair(
      'transactionIds',
      '… million transaction ids are used',
      { warning: 600, critical: 1100 },
      20,
      (millions) => ({
        [ofInstance('MaximumUsedTransactionIDs', 'main')]: each(millions * 1e6),
      }),
    ),
    single('slowStatements', 'an index is missing', 25, ofDatabaseLog('SlowStatements', 'main'), each(1, 15)),
    single('schemaChangedByHand', 'someone adds a column', 5, ofDatabaseLog('SchemaChangesByHand', 'main'), once()),
    single('privilegesChangedByHand', 'someone grants', 5, ofDatabaseLog('PrivilegeChangesByHand', 'main'), once()),
    single('adminLoginByHand', 'someone logs in', 5, ofDatabaseLog('AdminLoginsByHand', 'billing'), once()),
    single('rowsDeletedByHand', 'someone deletes rows', 5, ofDatabaseLog('DeletionsByHand', 'billing'), once()),
    single('cardsFound-logs', 'a log has a card', 5, ofScan('CardNumbersInLogs'), once()),
    single('dataOutsideRegions', 'a bucket is copied elsewhere', 5, ofScan('DataOutsideRegions'), once()),
    single('replicaLag-billing', 'the replica is gone', 30, ofInstance('ReplicaLag', 'billing-analytics'), nothing),
  ];
}
