import { type DatabaseName, functionName, GRACE_HOURS } from '../../core/contract';
import { isNoStack, listResources } from '../../core/stacks/resources';
import type { Context } from '../context';
import { SETTLED } from '../doctor/account-checks';
import { type Finding, good, judged, wrong } from '../doctor/finding';
import { counted, moment } from '../print/units';
import type { SecondRegion } from './place';

/** Hours that AWS Backup has for a recovery point, by `lib/data/recovery-points.ts`: to start and to end. Its copy follows. */
const WINDOW_HOURS = 6;

const recoveryStack = ({ target }: SecondRegion): string => functionName(target.environment, 'Recovery');

/** Whether the stack of the copies is there and settled. */
export async function checkStack(place: SecondRegion): Promise<Finding[]> {
  const { DescribeStacksCommand } = await import('@aws-sdk/client-cloudformation');
  const StackName = recoveryStack(place);
  const client = await place.clients.cloudFormation();
  const status = await client.send(new DescribeStacksCommand({ StackName })).then(
    ({ Stacks: [stack] = [] }) => stack?.StackStatus ?? 'missing',
    (error: unknown) => {
      if (isNoStack(error)) return 'missing';
      throw error;
    },
  );
  return [
    judged(
      'stack of the copies',
      SETTLED.test(status),
      `${StackName} is ${status} in ${place.region}`,
      `npx cdk deploy -c env=${place.target.environment} --all`,
    ),
  ];
}

/** Whether every key of that stack can be used: what it encrypts is gone when it is. */
export async function checkKeys(place: SecondRegion): Promise<Finding[]> {
  const { DescribeKeyCommand } = await import('@aws-sdk/client-kms');
  const resources = await listResources(await place.clients.cloudFormation(), recoveryStack(place));
  const keys = resources.filter(({ type }) => type === 'AWS::KMS::Key');
  const kms = await place.clients.kms();
  const states = await Promise.all(
    keys.map(async ({ logicalId: id, id: KeyId }) => {
      const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId }));
      return { id, KeyId, state: KeyMetadata?.KeyState ?? 'unknown' };
    }),
  );
  const unusable = states.filter(({ state }) => state !== 'Enabled');
  const [first] = unusable;
  return [
    judged(
      'keys',
      keys.length > 0 && unusable.length === 0,
      keys.length === 0
        ? 'the stack has none'
        : unusable.map(({ id, KeyId, state }) => `${id} (${KeyId}) is ${state}`).join(', ') ||
            `${counted(keys.length, 'key')} enabled`,
      first === undefined
        ? `npx cdk deploy -c env=${place.target.environment} --all`
        : `aws kms ${first.state === 'PendingDeletion' ? 'cancel-key-deletion' : 'enable-key'} --region ${place.region} --key-id ${first.KeyId}`,
    ),
  ];
}

/** The newest recovery point of a database there. */
export async function recoveryPointOf(
  { now }: Context,
  place: SecondRegion,
  database: DatabaseName,
  hours: number,
): Promise<{ readonly takenAt: string | null; readonly finding: Finding }> {
  const check = `recovery point of ${database}`;
  const { environment } = place.target;
  const BackupVaultName = `billing-operations-${environment}-${database}`;
  const resources = await listResources(await place.clients.cloudFormation(), recoveryStack(place));
  const isSetUp = resources.some(({ type, id }) => type === 'AWS::Backup::BackupVault' && id === BackupVaultName);
  // Of an existing database that AWS Backup does not save: the archives are all there is of it.
  if (!isSetUp) {
    const detail = `the settings of ${database} have none: it comes back from its archive`;
    return { takenAt: null, finding: { check, state: 'skipped', detail, fix: null } };
  }
  const { paginateListRecoveryPointsByBackupVault } = await import('@aws-sdk/client-backup');
  const points: { readonly at: string; readonly keyRegion: string }[] = [];
  const client = await place.clients.backup();
  for await (const page of paginateListRecoveryPointsByBackupVault({ client }, { BackupVaultName })) {
    for (const { Status, CreationDate, EncryptionKeyArn } of page.RecoveryPoints ?? []) {
      if (Status !== 'COMPLETED' || CreationDate === undefined) continue;
      points.push({ at: CreationDate.toISOString(), keyRegion: EncryptionKeyArn?.split(':')[3] ?? place.region });
    }
  }
  const newest = points.toSorted((a, b) => a.at.localeCompare(b.at)).at(-1);
  const fix = `docs/runbook.md#recovery-points-stale: look at the copy jobs to the vault ${BackupVaultName}`;
  if (newest === undefined) return { takenAt: null, finding: wrong(check, `${BackupVaultName} has none`, fix) };
  if (newest.keyRegion !== place.region) {
    const detail = `${moment(newest.at, now())}, encrypted under a key of ${newest.keyRegion}`;
    return { takenAt: null, finding: wrong(check, detail, fix) };
  }
  const ageHours = (now().getTime() - Date.parse(newest.at)) / 3_600_000;
  const limit = hours + WINDOW_HOURS + GRACE_HOURS;
  const detail = `${moment(newest.at, now())}, of ${points.length}`;
  return {
    takenAt: newest.at,
    finding: ageHours <= limit ? good(check, detail) : wrong(check, detail, `older than ${limit} h. ${fix}`),
  };
}
