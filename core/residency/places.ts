import type { DBInstance } from '@aws-sdk/client-rds';
import type { StackResource } from '../runtime/stack-resources';
import type { ResidencyClients } from './clients';
import type { NamedInstance, Residency } from './contract';

/** Where data of a resource is, besides the region of its stack. */
export type Place = Residency['outside'][number];

/** Whether a resource has data of which AWS knows where it is, or which is where its stack is. */
export const hasData = ({ type }: StackResource): boolean => type in LOOKS;

/**
 * Where a resource of a stack, and each copy that it is set up to make, is. The ones without a question are where their stack is.
 *
 * @param region of its stack, where that is another than the environment's
 * @throws what AWS answers
 */
export function placesOf(clients: ResidencyClients, { type, id }: StackResource, region?: string): Promise<Place[]> {
  return LOOKS[type]?.(clients, id, region) ?? Promise.resolve([]);
}

/** Of an instance that no stack made, where it is itself, too. RDS knows only the instances of the region that is asked. */
export async function existingPlaces(clients: ResidencyClients, { id, region }: NamedInstance): Promise<Place[]> {
  const what = `instance ${id}`;
  try {
    const instance = await instanceOf(clients, id, region);
    return [{ what, region: region ?? regionOf(instance?.DBInstanceArn) }, ...copiesOf(instance, id)];
  } catch (error) {
    if (!(error instanceof Error && error.name === 'DBInstanceNotFoundFault')) throw error;
    const itself = { what, region: region ?? null };
    return region === undefined ? [itself] : [itself, { what: `the copies of ${what}`, region: null }];
  }
}

/** Whether AWS answered that the caller may not ask this. */
export const isDenied = (error: unknown): boolean =>
  error instanceof Error && /^(AccessDenied(Exception)?|AccessDeniedFault)$/.test(error.name);

/** Stands a value in for the answer to a question that the caller may not ask; another error is thrown. */
const unlessDenied =
  <T>(value: T) =>
  (error: unknown): T => {
    if (isDenied(error)) return value;
    throw error;
  };

/** Fourth part of an ARN; null where it has none. */
export const regionOf = (arn: string | undefined): string | null => arn?.split(':')[3] || null;

const copies = (arns: readonly (string | undefined)[], of: string): Place[] =>
  arns.map((arn = '') => ({ what: `${arn.split(':').at(-1) ?? ''}, a copy of ${of},`, region: regionOf(arn) }));

/** How each kind of resource says where its data is. */
const LOOKS: Readonly<Record<string, (clients: ResidencyClients, id: string, region?: string) => Promise<Place[]>>> = {
  'AWS::S3::Bucket': bucketPlaces,
  'AWS::KMS::Key': keyPlaces,
  'AWS::SecretsManager::Secret': secretPlaces,
  'AWS::RDS::DBInstance': instancePlaces,
  'AWS::Backup::BackupPlan': planPlaces,
  'AWS::Logs::LogGroup': logPlaces,
  'AWS::Backup::BackupVault': async () => [],
  'AWS::SQS::Queue': async () => [],
  'AWS::ElastiCache::ServerlessCache': async () => [],
};

async function bucketPlaces(clients: ResidencyClients, Bucket: string): Promise<Place[]> {
  const { GetBucketLocationCommand, GetBucketReplicationCommand } = await import('@aws-sdk/client-s3');
  const client = await clients.s3();
  // A rule that was made by hand may copy to a bucket that no policy of the caller names.
  const locationOf = (bucket: string) =>
    client.send(new GetBucketLocationCommand({ Bucket: bucket })).then(
      // S3 answers nothing for the region in which it began.
      ({ LocationConstraint = 'us-east-1' }) => LocationConstraint,
      unlessDenied(null),
    );
  const rules = await client.send(new GetBucketReplicationCommand({ Bucket })).then(
    ({ ReplicationConfiguration }) => ReplicationConfiguration?.Rules ?? [],
    (error: Error) => (error.name === 'ReplicationConfigurationNotFoundError' ? [] : unlessDenied(undefined)(error)),
  );
  const places: Place[] = [{ what: `bucket ${Bucket}`, region: await locationOf(Bucket) }];
  if (rules === undefined) places.push({ what: `the copies of bucket ${Bucket}`, region: null });
  for (const { Destination } of rules ?? []) {
    // A bucket of another account may say no: its stack, examples/backup-account, is in the region of the environment.
    if (Destination?.Account !== undefined) continue;
    const copy = Destination?.Bucket?.split(':').at(-1) ?? '';
    places.push({ what: `bucket ${copy}, a copy of ${Bucket},`, region: await locationOf(copy) });
  }
  return places;
}

async function keyPlaces(clients: ResidencyClients, KeyId: string, region?: string): Promise<Place[]> {
  const { DescribeKeyCommand } = await import('@aws-sdk/client-kms');
  const { KeyMetadata } = await (await clients.kms(region)).send(new DescribeKeyCommand({ KeyId }));
  const replicas = KeyMetadata?.MultiRegionConfiguration?.ReplicaKeys ?? [];
  return replicas.map(({ Region = '' }) => ({ what: `a replica of key ${KeyId}`, region: Region }));
}

async function secretPlaces(clients: ResidencyClients, SecretId: string, region?: string): Promise<Place[]> {
  const { DescribeSecretCommand } = await import('@aws-sdk/client-secrets-manager');
  const client = await clients.secretsManager(region);
  const { ReplicationStatus = [] } = await client.send(new DescribeSecretCommand({ SecretId }));
  const name = SecretId.split(':').at(-1) ?? '';
  return ReplicationStatus.map(({ Region = '' }) => ({ what: `a replica of secret ${name}`, region: Region }));
}

async function instancePlaces(clients: ResidencyClients, id: string, region?: string): Promise<Place[]> {
  return copiesOf(await instanceOf(clients, id, region), id);
}

async function instanceOf(
  clients: ResidencyClients,
  DBInstanceIdentifier: string,
  region?: string,
): Promise<DBInstance | undefined> {
  const { DescribeDBInstancesCommand } = await import('@aws-sdk/client-rds');
  const answer = await (await clients.rds(region)).send(new DescribeDBInstancesCommand({ DBInstanceIdentifier }));
  return answer.DBInstances?.[0];
}

function copiesOf(instance: DBInstance | undefined, id: string): Place[] {
  // Of the same region, a replica is named; of another, it has an ARN.
  const elsewhere = (instance?.ReadReplicaDBInstanceIdentifiers ?? []).filter((each) => each.startsWith('arn:'));
  const backups = instance?.DBInstanceAutomatedBackupsReplications ?? [];
  return copies([...elsewhere, ...backups.map((each) => each.DBInstanceAutomatedBackupsArn)], `instance ${id}`);
}

async function planPlaces(clients: ResidencyClients, BackupPlanId: string, region?: string): Promise<Place[]> {
  const { GetBackupPlanCommand } = await import('@aws-sdk/client-backup');
  const { BackupPlan } = await (await clients.backup(region)).send(new GetBackupPlanCommand({ BackupPlanId }));
  const actions = (BackupPlan?.Rules ?? []).flatMap(({ CopyActions = [] }) => CopyActions);
  return copies(
    actions.map((action) => action.DestinationBackupVaultArn),
    `the recovery points of plan ${BackupPlan?.BackupPlanName ?? BackupPlanId}`,
  );
}

async function logPlaces(clients: ResidencyClients, logGroupName: string, region?: string): Promise<Place[]> {
  const { DescribeSubscriptionFiltersCommand } = await import('@aws-sdk/client-cloudwatch-logs');
  const client = await clients.cloudWatchLogs(region);
  const { subscriptionFilters = [] } = await client.send(new DescribeSubscriptionFiltersCommand({ logGroupName }));
  return copies(
    subscriptionFilters.map(({ destinationArn }) => destinationArn),
    `log ${logGroupName}`,
  );
}
