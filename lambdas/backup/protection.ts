import {
  DescribeDBInstancesCommand,
  paginateDescribeDBSnapshots,
  type DBInstance,
  type DBSnapshot,
} from '@aws-sdk/client-rds';
import { messageOf } from '../../core/runtime/errors';
import type { Log } from '../../core/runtime/telemetry';
import type { ProtectionReport, TierReport } from './contract';
import type { RdsInstance } from './rds-instance';

/** RDS ships its log every five minutes; three in a row are not missed by chance. */
const POINT_IN_TIME_LIMIT_SECONDS = 15 * 60;
/** AWS Backup may start an hour after its schedule, and then takes its time. */
const RECOVERY_POINT_GRACE_SECONDS = 2 * 60 * 60;

export interface ProtectionDependencies {
  /** @default - the database is not on RDS */
  readonly instance: RdsInstance | undefined;
  /** Hours between two recovery points. @default - none are taken */
  readonly frequencyHours: number | undefined;
  readonly log: Log;
  readonly clock: () => Date;
}

/**
 * Checks whether the tiers that RDS and AWS Backup keep are as fresh as the policy says. Never throws: a backup must not
 * be missed because RDS did not answer. Each deviation is logged with what to do.
 */
export async function checkProtection(dependencies: ProtectionDependencies): Promise<ProtectionReport> {
  const { instance, frequencyHours, log, clock } = dependencies;
  const limits = {
    pointInTime: POINT_IN_TIME_LIMIT_SECONDS,
    recoveryPoints: recoveryPointLimitSeconds(frequencyHours ?? 0),
  };
  if (!instance) {
    log.warn('The database is not on RDS: point-in-time recovery and recovery points were not checked', {});
    return {
      pointInTime: { state: 'not-on-rds', limitSeconds: limits.pointInTime },
      recoveryPoints: { state: 'not-on-rds', limitSeconds: limits.recoveryPoints },
    };
  }
  const checkTier = async (limitSeconds: number, newest: () => Promise<Date | undefined>, advice: string) => {
    const tier = await compareAge(limitSeconds, newest, instance, clock).catch((error: unknown): TierReport => {
      log.error('RDS query failed', { instance: instance.identifier, error: messageOf(error) });
      return { state: 'unknown', limitSeconds };
    });
    if (tier.state === 'stale' || tier.state === 'missing')
      log.error(advice, { instance: instance.identifier, ...tier });
    return tier;
  };
  const [pointInTime, recoveryPoints] = await Promise.all([
    checkTier(
      limits.pointInTime,
      () => latestRestorableTime(instance),
      'Point-in-time recovery is behind: check that automated backups are on, and the events of the instance',
    ),
    frequencyHours === undefined
      ? ({ state: 'not-kept', limitSeconds: limits.recoveryPoints } as const)
      : checkTier(
          limits.recoveryPoints,
          () => newestRecoveryPoint(instance),
          'Recovery points are overdue: check the jobs of AWS Backup for this instance',
        ),
  ]);
  return { pointInTime, recoveryPoints };
}

/** Age in seconds above which the newest of recovery points that are taken every so many hours is stale. */
export function recoveryPointLimitSeconds(frequencyHours: number): number {
  return frequencyHours * 60 * 60 + RECOVERY_POINT_GRACE_SECONDS;
}

async function compareAge(
  limitSeconds: number,
  newest: () => Promise<Date | undefined>,
  instance: RdsInstance,
  clock: () => Date,
): Promise<TierReport> {
  const ageOf = (moment: Date): number => Math.max(0, Math.round((clock().getTime() - moment.getTime()) / 1000));
  const newestAt = await newest();
  if (newestAt === undefined) {
    const { InstanceCreateTime: since } = (await describeInstance(instance)) ?? {};
    const isNew = since !== undefined && ageOf(since) <= limitSeconds;
    return { state: isNew ? 'not-due' : 'missing', limitSeconds };
  }
  const ageSeconds = ageOf(newestAt);
  return { state: ageSeconds <= limitSeconds ? 'current' : 'stale', ageSeconds, limitSeconds };
}

async function latestRestorableTime(instance: RdsInstance): Promise<Date | undefined> {
  return (await describeInstance(instance))?.LatestRestorableTime;
}

async function describeInstance({ rds, identifier }: RdsInstance): Promise<DBInstance | undefined> {
  const { DBInstances } = await rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: identifier }));
  return DBInstances?.[0];
}

async function newestRecoveryPoint(instance: RdsInstance): Promise<Date | undefined> {
  return (await newestSnapshot(instance, ['awsbackup']))?.SnapshotCreateTime;
}

/** The newest complete snapshot of an instance that RDS itself, or AWS Backup, took. */
export async function newestSnapshot(
  { rds, identifier }: RdsInstance,
  types: readonly ('automated' | 'awsbackup')[],
): Promise<DBSnapshot | undefined> {
  let newest: DBSnapshot | undefined;
  for (const SnapshotType of types) {
    const pages = paginateDescribeDBSnapshots({ client: rds }, { DBInstanceIdentifier: identifier, SnapshotType });
    for await (const { DBSnapshots = [] } of pages) {
      for (const snapshot of DBSnapshots) {
        if (snapshot.Status === 'available' && createdAt(snapshot) > createdAt(newest)) newest = snapshot;
      }
    }
  }
  return newest;
}

function createdAt(snapshot: DBSnapshot | undefined): number {
  return snapshot?.SnapshotCreateTime?.getTime() ?? 0;
}
