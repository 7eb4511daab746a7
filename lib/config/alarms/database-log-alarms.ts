import { DATABASE_NAMES } from '../../../core/contract';
import { DATABASE_LOG_METRICS, databaseLogFilters, type DatabaseLogMetricName } from '../database-log-metrics';
import type { EnvironmentConfig } from '../environment-schema';
import { SLOW_QUERY_MS } from '../policies';
import type { AlarmDefinition } from './alarm-definition';
import { sumOf, type AlarmMetric } from './alarm-metric';
import { ANY_WITHIN_AN_HOUR } from './job-alarms';

/** One is enough. The log tells who, and people do work by hand: nobody is woken. */
const ANY = { ...ANY_WITHIN_AN_HOUR, thresholds: { warning: 0 }, owner: 'data', consolePage: 'alarm' } as const;

/** In five minutes: one in five seconds. */
const SLOW_LIMIT = 60;

/** The alarms on what the logs of the databases say. Of a database that existed before, the log is not ours. */
export function databaseLogAlarms(config: EnvironmentConfig): AlarmDefinition[] {
  return [slowStatements(), schemaChanged(), privilegesChanged(), adminLogin(), rowsDeleted()].flatMap(
    ({ counts, ...definition }) => {
      const metric = counted(config, counts);
      return metric === undefined ? [] : [{ ...definition, metric }];
    },
  );
}

/** An alarm whose metric depends on the databases that the environment has. */
type Counting = Omit<AlarmDefinition, 'metric'> & { readonly counts: DatabaseLogMetricName };

/** Added up over the databases whose log is counted. `undefined` where there is none. */
function counted({ databases }: EnvironmentConfig, name: DatabaseLogMetricName): AlarmMetric | undefined {
  const metrics = DATABASE_NAMES.filter(
    (database) =>
      databases[database].kind === 'create' && databaseLogFilters(database).some(({ metric }) => metric === name),
  ).map((database): AlarmMetric => ({ from: 'databaseLog', database, name }));
  return metrics.length > 1 ? sumOf(name, metrics) : metrics[0];
}

function slowStatements(): Counting {
  return {
    ...ANY,
    name: 'slowStatements',
    measure: `Statements above ${SLOW_QUERY_MS} ms`,
    thresholds: { warning: SLOW_LIMIT },
    periodSeconds: 300,
    // The newest period lacks the lines that are still on their way.
    evaluationPeriods: 4,
    datapointsToAlarm: 3,
    counts: DATABASE_LOG_METRICS.slowStatements,
    symptom: `Every few seconds, a statement takes more than ${SLOW_QUERY_MS} ms: of an application, or of a function that someone waits for`,
    action: 'See which with ops queries, and in the log of the database; most lack an index.',
    runbookAnchor: 'slow-statements',
  };
}

function schemaChanged(): Counting {
  return {
    ...ANY,
    name: 'schemaChangedByHand',
    measure: 'Changes of a schema that no function made',
    counts: DATABASE_LOG_METRICS.schemaChanges,
    symptom:
      'Someone changed the schema of a database without a migration: the next one, and a restore, do not know of it',
    action: 'Find who and what with the saved query on changes in the database; make it a migration, or undo it.',
    runbookAnchor: 'database-changed-by-hand',
  };
}

function privilegesChanged(): Counting {
  return {
    ...ANY,
    name: 'privilegesChangedByHand',
    measure: 'Changes of roles and privileges that no function made',
    counts: DATABASE_LOG_METRICS.privilegeChanges,
    symptom: 'Someone granted or revoked a privilege, or changed a role of a database, by hand',
    action: 'Find who and what with the saved query on changes in the database; revoke what nobody can explain.',
    runbookAnchor: 'database-changed-by-hand',
  };
}

function adminLogin(): Counting {
  return {
    ...ANY,
    name: 'adminLoginByHand',
    measure: 'Logins of the administrator that are none of the functions',
    counts: DATABASE_LOG_METRICS.adminLogins,
    symptom: 'Someone logged in to a database as its administrator, with the credentials of the functions',
    action: 'Ask who it was. If nobody knows, rotate the password, and see in CloudTrail who read the secret.',
    runbookAnchor: 'administrator-login',
  };
}

function rowsDeleted(): Counting {
  return {
    ...ANY,
    name: 'rowsDeletedByHand',
    measure: 'DELETE and TRUNCATE that no function ran',
    counts: DATABASE_LOG_METRICS.deletions,
    symptom: 'Someone deleted rows of the billing database, or truncated a table, by hand',
    action: 'Find who and what with the saved query on changes in the database; if it was a mistake, recover the rows.',
    runbookAnchor: 'database-changed-by-hand',
  };
}
