import { GetObjectCommand, ListObjectsV2Command, PutObjectLockConfigurationCommand } from '@aws-sdk/client-s3';
import { GetScheduleCommand, UpdateScheduleCommand, type GetScheduleCommandOutput } from '@aws-sdk/client-scheduler';
import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import { check, waitUntil } from '../../../local/pass/check';
import type { Clients } from '../clients';
import type { Rehearsal, RehearsalStep } from '../rehearsal';

/** The next minute, the emulator's look at its schedules every ten seconds, and the backup itself. */
const FIRE_TIMEOUT_MS = 100_000;
/** What Scheduler puts in place of this, and the emulator does not. */
const SCHEDULED_TIME = '<aws.scheduler.scheduled-time>';

interface Manifest {
  readonly slot: string;
  readonly rows: number;
  readonly tables: readonly unknown[];
}

/** Lets the deployed schedules of the backups come round each minute until each has fired. */
export const backUpOnSchedule: RehearsalStep = {
  title: 'A schedule fires the backup, and the archive lands in the bucket',
  async run(rehearsal, tell) {
    const { clients } = rehearsal.options;
    const bucket = (await rehearsal.deployment.find('Data', 'AWS::S3::Bucket', 'ArchivesBucket')).physicalId;
    await lockObjects(clients, bucket);
    const schedules = await Promise.all(
      DATABASE_NAMES.map((database) => hasten(rehearsal, database === 'billing' ? 'EveryBilling' : 'EveryMain')),
    );
    try {
      await Promise.all(
        DATABASE_NAMES.map(async (database) => {
          await waitUntil(
            async () => ((await manifestKey(clients, bucket, database)) ? undefined : `no archive of ${database}`),
            FIRE_TIMEOUT_MS,
          );
        }),
      );
    } finally {
      for (const schedule of schedules) await update(clients, schedule, {});
    }
    for (const database of DATABASE_NAMES) {
      const key = (await manifestKey(clients, bucket, database)) ?? '';
      const { Body: body } = await clients.s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
      const { slot, rows, tables } = JSON.parse((await body?.transformToString()) ?? '') as Manifest;
      check(rows > 0, `${database}: the archive is empty`);
      rehearsal.backups.set(database, { slot, rows, tables: tables.length });
      tell(`${database.padEnd(8)} ${rows} rows of ${tables.length} tables: ${key}`);
    }
  },
};

/** The template creates the bucket with object lock, which MiniStack drops; it then refuses requests that set a lock. */
export async function lockObjects({ s3 }: Clients, bucket: string): Promise<void> {
  const lock = { ObjectLockEnabled: 'Enabled' } as const;
  await s3.send(new PutObjectLockConfigurationCommand({ Bucket: bucket, ObjectLockConfiguration: lock }));
}

/** Has a deployed schedule fire each minute; everything else about it stays as it was deployed. */
async function hasten({ deployment, options }: Rehearsal, word: string): Promise<GetScheduleCommandOutput> {
  const { physicalId } = await deployment.find('Operations', 'AWS::Scheduler::Schedule', word);
  const schedule = await options.clients.scheduler.send(new GetScheduleCommand({ Name: physicalId }));
  await update(options.clients, schedule, {
    expression: 'rate(1 minute)',
    input: schedule.Target?.Input?.replace(SCHEDULED_TIME, new Date().toISOString()),
  });
  return schedule;
}

async function update(
  { scheduler }: Clients,
  { Name, Target, ScheduleExpression, FlexibleTimeWindow, ...rest }: GetScheduleCommandOutput,
  changes: { readonly expression?: string; readonly input?: string },
): Promise<void> {
  const { Description, State, ScheduleExpressionTimezone, GroupName } = rest;
  await scheduler.send(
    new UpdateScheduleCommand({
      Name,
      GroupName,
      Description,
      State,
      ScheduleExpressionTimezone,
      FlexibleTimeWindow,
      ScheduleExpression: changes.expression ?? ScheduleExpression,
      Target: Target && { ...Target, Input: changes.input ?? Target.Input },
    }),
  );
}

/** Key of the manifest of the first archive of a database. It is written last, so an archive that has one is whole. */
async function manifestKey({ s3 }: Clients, bucket: string, database: DatabaseName): Promise<string | undefined> {
  const command = new ListObjectsV2Command({ Bucket: bucket, Prefix: `archives/${database}/` });
  const { Contents: objects = [] } = await s3.send(command);
  return objects.map(({ Key: key = '' }) => key).find((key) => key.endsWith('/manifest.json'));
}
