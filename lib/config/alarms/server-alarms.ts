import { DATABASE_NAMES } from '../../../core/contract';
import { COLLECTOR_METRICS } from '../../../lambdas/collector/contract';
import type { AlarmDefinition } from './alarm-definition';
import { highestOf } from './alarm-metric';
import { highestOfDatabases } from './database-alarms';
import { DAY_SECONDS } from './job-alarms';

/** Gauges of the collector, whose absence has an alarm of its own. */
const GAUGE = { unit: 's', periodSeconds: 300, treatMissingData: 'ignore' } as const;

/** The alarms on what goes on in the databases and on their servers, seen from a connection. */
export function serverAlarms(): AlarmDefinition[] {
  return [lockWait(), longTransaction(), certificateExpiry()];
}

function lockWait(): AlarmDefinition {
  const measure = 'Longest wait for a lock in a database';
  return {
    ...GAUGE,
    name: 'lockWait',
    measure,
    // The application gives up after a minute, migrations after seconds: what waits longer will not stop by itself.
    thresholds: { warning: 120 },
    comparisonOperator: 'GreaterThanThreshold',
    evaluationPeriods: 2,
    metric: highestOfDatabases(measure, DATABASE_NAMES, (database) =>
      highestOf('collector', COLLECTOR_METRICS.longestLockWaitSeconds, { database }),
    ),
    symptom: 'A session has waited for a lock for minutes: whoever holds it keeps others from writing',
    action: 'See who waits for whom with ops connections; end the session that holds the lock.',
    owner: 'data',
    runbookAnchor: 'lock-wait',
    consolePage: 'alarm',
  };
}

function longTransaction(): AlarmDefinition {
  const measure = 'Longest open transaction in a database';
  return {
    ...GAUGE,
    name: 'longTransaction',
    measure,
    // No job of the platform may take longer than a quarter of an hour. Lower pages for the analysts' queries.
    thresholds: { warning: 3600 },
    comparisonOperator: 'GreaterThanThreshold',
    evaluationPeriods: 2,
    metric: highestOfDatabases(measure, DATABASE_NAMES, (database) =>
      highestOf('collector', COLLECTOR_METRICS.longestTransactionSeconds, { database }),
    ),
    symptom: 'A transaction has been open for an hour: vacuum cannot remove any row that was deleted since',
    action: 'See what it is with ops queries; end its session if nobody needs it.',
    owner: 'data',
    runbookAnchor: 'long-transaction',
    consolePage: 'alarm',
  };
}

function certificateExpiry(): AlarmDefinition {
  const measure = "Time until a database server's certificate expires";
  return {
    ...GAUGE,
    name: 'certificateExpiry',
    measure,
    // RDS renews by itself, in a maintenance window: a month has four of them. In the last week there is one.
    thresholds: { warning: 30 * DAY_SECONDS, critical: 7 * DAY_SECONDS },
    comparisonOperator: 'LessThanThreshold',
    evaluationPeriods: 2,
    metric: {
      from: 'math',
      label: measure,
      expression: `MIN([${DATABASE_NAMES.join(', ')}])`,
      metrics: Object.fromEntries(
        DATABASE_NAMES.map((database) => [
          database,
          highestOf('collector', COLLECTOR_METRICS.certificateExpirySeconds, { database }),
        ]),
      ),
    },
    symptom: 'The certificate of a database server expires soon: then no function can connect any more',
    action: 'Renew it: on RDS, choose the newest certificate authority and restart in a quiet hour.',
    owner: 'platform',
    runbookAnchor: 'certificate-expiry',
    consolePage: 'alarm',
  };
}
