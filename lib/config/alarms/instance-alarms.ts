import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import type { EnvironmentConfig } from '../environment-schema';
import type { AlarmDefinition } from './alarm-definition';
import type { AlarmMetric, InstanceMetric } from './alarm-metric';
import { highestOfDatabases, isOnRds } from './database-alarms';

/** A quarter of an hour without a break. RDS publishes nothing about an instance that is down, for which others alarm. */
const QUARTER_OF_AN_HOUR = { periodSeconds: 300, evaluationPeriods: 3, treatMissingData: 'ignore' } as const;

/** Minutes that the analytics replica may lag: a query may hold its replay back for 15, and one may follow another. */
const LAG_LIMIT_MINUTES = 30;

/** The alarms on what only RDS knows of an instance: its transaction ids, its CPU credits, the lag of its replica. */
export function instanceAlarms(config: EnvironmentConfig): AlarmDefinition[] {
  const onRds = DATABASE_NAMES.filter((database) => isOnRds(config, database));
  const replicated = DATABASE_NAMES.filter((database) => hasReplica(config, database));
  const burstable = DATABASE_NAMES.filter((database) => isBurstable(config, database));
  return [
    ...(onRds.length > 0 ? [transactionIds(onRds)] : []),
    ...(burstable.length > 0
      ? [
          cpuCredits(
            burstable,
            burstable.filter((name) => replicated.includes(name)),
          ),
        ]
      : []),
    ...replicated.map(replicaLag),
  ];
}

function hasReplica({ databases }: EnvironmentConfig, database: DatabaseName): boolean {
  const settings = databases[database];
  return settings.kind === 'create' && settings.analyticsReplica;
}

/** Classes that earn CPU credits while idle and spend them under load. The class of an existing database is not known. */
function isBurstable({ databases }: EnvironmentConfig, database: DatabaseName): boolean {
  const settings = databases[database];
  return settings.kind === 'create' && settings.instanceClass.startsWith('t');
}

function transactionIds(onRds: readonly DatabaseName[]): AlarmDefinition {
  const measure = 'Transaction ids in use';
  return {
    ...QUARTER_OF_AN_HOUR,
    name: 'transactionIds',
    measure,
    unit: 'count',
    // Autovacuum freezes from 200 million on; at 2.1 thousand million PostgreSQL refuses every write until a person vacuums.
    thresholds: { warning: 500_000_000, critical: 1_000_000_000 },
    comparisonOperator: 'GreaterThanThreshold',
    metric: highestOfDatabases(measure, onRds, (database) => ({
      from: 'instance',
      database,
      name: 'MaximumUsedTransactionIDs',
      statistic: 'Maximum',
    })),
    symptom:
      'A database runs out of transaction ids, because vacuum does not keep up; without any it refuses all writes',
    action: 'Find what holds vacuum back: an old transaction, a replication slot, or a table that it cannot finish.',
    owner: 'data',
    runbookAnchor: 'transaction-ids',
    consolePage: 'alarm',
  };
}

function cpuCredits(instances: readonly DatabaseName[], replicas: readonly DatabaseName[]): AlarmDefinition {
  const measure = 'CPU credits spent in advance';
  const balance = (database: DatabaseName, ofReplica: boolean): AlarmMetric =>
    ({
      from: 'instance',
      database,
      name: 'CPUSurplusCreditBalance',
      statistic: 'Maximum',
      ofReplica,
    }) satisfies InstanceMetric;
  const metrics = Object.fromEntries([
    ...instances.map((database) => [database, balance(database, false)] as const),
    ...replicas.map((database) => [`${database}Replica`, balance(database, true)] as const),
  ]);
  return {
    ...QUARTER_OF_AN_HOUR,
    name: 'cpuCredits',
    measure,
    unit: 'count',
    // An hour of a t4g.medium earns 24, and what a day does not earn back is charged. A new instance begins without any
    // credits, and spends some in advance while it is set up.
    thresholds: { warning: 144 },
    comparisonOperator: 'GreaterThanThreshold',
    metric: { from: 'math', label: measure, expression: `MAX([${Object.keys(metrics).join(', ')}])`, metrics },
    symptom: 'A burstable instance lives on CPU credits that it has not earned: what it does not earn back is charged',
    action: 'Find what uses the CPU; if that is as expected, use a class that is not burstable.',
    owner: 'data',
    runbookAnchor: 'cpu-credits',
    consolePage: 'alarm',
  };
}

function replicaLag(database: DatabaseName): AlarmDefinition {
  const measure = 'Lag of the analytics replica';
  return {
    name: `replicaLag-${database}`,
    measure,
    unit: 's',
    thresholds: { warning: LAG_LIMIT_MINUTES * 60 },
    comparisonOperator: 'GreaterThanThreshold',
    metric: {
      from: 'math',
      label: measure,
      // RDS reports -1 when replication has stopped.
      expression: 'IF(lag < 0, 86400, lag)',
      metrics: { lag: { from: 'instance', database, name: 'ReplicaLag', statistic: 'Maximum', ofReplica: true } },
    },
    periodSeconds: 300,
    evaluationPeriods: 6,
    datapointsToAlarm: 3,
    // A replica that is gone reports nothing.
    treatMissingData: 'breaching',
    symptom: `Reports on the ${database} database are half an hour old: its replica lags, has stopped or is gone`,
    action: 'End the query that holds replay back; a replica that has stopped is made again.',
    owner: 'data',
    runbookAnchor: 'replica-lag',
    consolePage: 'alarm',
  };
}
