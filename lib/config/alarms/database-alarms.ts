import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import { COLLECTOR_METRICS } from '../../../lambdas/collector/contract';
import type { EnvironmentConfig } from '../environment-schema';
import type { AlarmDefinition } from './alarm-definition';
import { countOf, highestOf, type AlarmMetric } from './alarm-metric';

/** The thresholds of the operations guides for the databases. One alarm covers both: its graph shows which one it is. */
export function databaseAlarms(config: EnvironmentConfig): AlarmDefinition[] {
  const onRds = DATABASE_NAMES.filter((database) => isOnRds(config, database));
  return [
    databaseSize(onRds),
    // Only RDS knows the CPU and the memory of the machine.
    ...(onRds.length > 0 ? [databaseCpu(onRds), databaseMemory(onRds)] : []),
    databaseConnections(),
    ...DATABASE_NAMES.map(databaseUnreachable),
  ];
}

/** Whether RDS runs the database. */
export function isOnRds({ databases }: EnvironmentConfig, database: DatabaseName): boolean {
  const settings = databases[database];
  return settings.kind === 'create' || settings.instanceIdentifier !== undefined;
}

function databaseSize(onRds: readonly DatabaseName[]): AlarmDefinition {
  const measure = 'Database size (share of the disk)';
  const usedPercent = (database: DatabaseName): AlarmMetric => {
    const disk = highestOf('collector', COLLECTOR_METRICS.allocatedStorageBytes, { database });
    const label = `${measure}: ${database}`;
    if (!onRds.includes(database)) {
      const used = highestOf('collector', COLLECTOR_METRICS.databaseSizeBytes, { database });
      return {
        from: 'math',
        label,
        expression: `IF(${database}Disk > 0 AND ${database}Used >= 0, 100 * ${database}Used / ${database}Disk)`,
        metrics: { [`${database}Used`]: used, [`${database}Disk`]: disk },
      };
    }
    const free: AlarmMetric = { from: 'instance', database, name: 'FreeStorageSpace', statistic: 'Minimum' };
    return {
      from: 'math',
      label,
      // From the free space, because logs and write-ahead segments fill the disk as well as tables do. Of an instance that is
      // down RDS publishes nothing, which arithmetic would take for 0 bytes free.
      expression: `IF(${database}Disk > 0 AND ${database}Free >= 0, 100 * (${database}Disk - ${database}Free) / ${database}Disk)`,
      metrics: { [`${database}Disk`]: disk, [`${database}Free`]: free },
    };
  };
  return {
    name: 'databaseSize',
    measure,
    unit: '%',
    thresholds: { warning: 80, critical: 90 },
    comparisonOperator: 'GreaterThanThreshold',
    metric: highestOfDatabases(measure, DATABASE_NAMES, usedPercent),
    periodSeconds: 300,
    evaluationPeriods: 3,
    datapointsToAlarm: 2,
    // A disk does not empty because the collector stopped.
    treatMissingData: 'ignore',
    symptom: 'The disk of a database is filling up; full, it stops every write',
    action: 'Scale storage.',
    owner: 'data',
    runbookAnchor: 'database-size',
    consolePage: 'alarm',
  };
}

/** Half an hour without a break: busy throughout, not for one report. */
const HALF_AN_HOUR = {
  unit: '%',
  comparisonOperator: 'GreaterThanThreshold',
  periodSeconds: 300,
  evaluationPeriods: 6,
  datapointsToAlarm: 6,
  // RDS publishes nothing about an instance that is down, for which there are other alarms.
  treatMissingData: 'ignore',
} as const;

function databaseCpu(onRds: readonly DatabaseName[]): AlarmDefinition {
  const measure = 'Database CPU';
  return {
    ...HALF_AN_HOUR,
    name: 'databaseCpu',
    measure,
    // The scaling guide: scale when it is above this consistently.
    thresholds: { warning: 70, critical: 90 },
    metric: highestOfDatabases(measure, onRds, (database) => ({
      from: 'instance',
      database,
      name: 'CPUUtilization',
      statistic: 'Average',
    })),
    symptom: 'A database instance is busy without a break',
    action: 'Find the statements that use the CPU in Database Insights; if they are as expected, use a larger class.',
    owner: 'data',
    runbookAnchor: 'database-cpu',
    consolePage: 'alarm',
  };
}

function databaseMemory(onRds: readonly DatabaseName[]): AlarmDefinition {
  const measure = 'Database memory';
  return {
    ...HALF_AN_HOUR,
    name: 'databaseMemory',
    measure,
    // The scaling guide: scale when it is above this consistently.
    thresholds: { warning: 80, critical: 90 },
    metric: highestOfDatabases(measure, onRds, (database) => ({
      from: 'math',
      label: `${measure}: ${database}`,
      // RDS publishes what is free, the collector the total. What RDS does not publish is not 0.
      expression: `IF(${database}Memory > 0 AND ${database}Free >= 0, 100 * (${database}Memory - ${database}Free) / ${database}Memory)`,
      metrics: {
        [`${database}Memory`]: highestOf('collector', COLLECTOR_METRICS.instanceMemoryBytes, { database }),
        [`${database}Free`]: { from: 'instance', database, name: 'FreeableMemory', statistic: 'Minimum' },
      },
    })),
    symptom: 'A database instance is running out of memory',
    action: 'Look for many or large sessions; if they are as expected, use a larger class.',
    owner: 'data',
    runbookAnchor: 'database-memory',
    consolePage: 'alarm',
  };
}

function databaseConnections(): AlarmDefinition {
  const measure = 'Database connections in use';
  return {
    name: 'databaseConnections',
    measure,
    unit: '%',
    // The scaling guide: near the maximum. At 100 every function is refused, and so is the operator who comes to repair it.
    thresholds: { warning: 80, critical: 90 },
    comparisonOperator: 'GreaterThanThreshold',
    // Of a database that does not answer nothing is known: that is an alarm of its own.
    metric: highestOfDatabases(measure, DATABASE_NAMES, (database) =>
      highestOf('collector', COLLECTOR_METRICS.connectionsUsedPercent, { database }),
    ),
    periodSeconds: 300,
    evaluationPeriods: 3,
    datapointsToAlarm: 3,
    treatMissingData: 'ignore',
    symptom: 'A database is running out of connections',
    action: 'Check which sessions hold its connections; end idle ones.',
    owner: 'data',
    runbookAnchor: 'database-connections',
    consolePage: { functionOf: 'collector' },
  };
}

/**
 * Apart for each database, and apart from connections in use: it silences what follows from it, which trouble with the other
 * database, or a busy one, must not. Nobody outside can raise it.
 */
function databaseUnreachable(database: DatabaseName): AlarmDefinition {
  return {
    name: `databaseUnreachable-${database}`,
    measure: `Connections in use, which the collector cannot measure of a ${database} database that does not answer`,
    unit: '%',
    thresholds: { critical: 0 },
    // No share is: the alarm is raised by what is missing.
    comparisonOperator: 'LessThanThreshold',
    metric: {
      from: 'math',
      label: `Connections in use: ${database}`,
      // By itself, an alarm on what is missing looks for data further back first, and is raised ten minutes later. Where the
      // collector does not run at all, nothing is known of the database: that must not silence what follows from it.
      expression: 'IF(FILL(succeeded, 0) + FILL(failed, 0) > 0, FILL(used, -1))',
      metrics: {
        succeeded: countOf('collector', COLLECTOR_METRICS.succeeded),
        failed: countOf('collector', COLLECTOR_METRICS.failed),
        used: highestOf('collector', COLLECTOR_METRICS.connectionsUsedPercent, { database }),
      },
    },
    periodSeconds: 300,
    evaluationPeriods: 3,
    datapointsToAlarm: 3,
    treatMissingData: 'ignore',
    symptom: `The ${database} database cannot be reached`,
    action: 'Read why in the log of the collector; recover the instance if it is gone.',
    owner: 'data',
    runbookAnchor: 'database-unreachable',
    consolePage: { functionOf: 'collector' },
  };
}

/** The value of the database where it is higher. */
export function highestOfDatabases(
  label: string,
  databases: readonly DatabaseName[],
  valueOf: (database: DatabaseName) => AlarmMetric,
): AlarmMetric {
  return {
    from: 'math',
    label,
    expression: `MAX([${databases.join(', ')}])`,
    metrics: Object.fromEntries(databases.map((database) => [database, valueOf(database)])),
  };
}
