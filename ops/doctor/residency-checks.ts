import type { CloudFormationClient, StackResourceSummary } from '@aws-sdk/client-cloudformation';
import { functionName } from '../../core/contract';
import type { Context } from '../context';
import { explain } from '../errors';
import { type Finding, judged } from './finding';

/** Output of the Data stack that names the regions in which data may be, separated by commas. */
const ALLOWED_OUTPUT = 'AllowedRegions';
/** The stacks in the region of an environment. Another environment may begin with the name of this one. */
const STACKS = ['Data', 'Operations', 'Monitoring'];
/** Resources looked up at a time: AWS allows ten requests a second of some of these APIs. */
const CONCURRENCY = 5;

/** Where data of a resource is, besides the region of its stack. */
interface Place {
  readonly what: string;
  readonly region: string;
}

/**
 * Whether buckets, keys, secrets, instances, vaults, log groups and the cache of the stacks, and every copy or replica that these
 * are set up to make, are in regions that the settings allow. Not looked up are existing instances, and the stack of the second
 * region. Synthesis refuses others; this finds what was set up by hand.
 */
export async function checkResidency(context: Context): Promise<Finding[]> {
  const { clients, target } = context;
  try {
    const client = await clients.cloudFormation();
    const stacks = await stacksOf(client, new Set(STACKS.map((stack) => functionName(target.environment, stack))));
    const allowed = stacks.flatMap((stack) => stack.allowed);
    if (allowed.length === 0) {
      return [judged('residency', false, `no stack has the output ${ALLOWED_OUTPUT}`, 'deploy the stack Data again')];
    }
    const places: Place[] = [];
    let looked = 0;
    for (const { name, region } of stacks) {
      const resources = (await resourcesOf(client, name)).filter(({ ResourceType = '' }) => ResourceType in LOOKS);
      looked += resources.length;
      places.push({ what: name, region });
      for (let start = 0; start < resources.length; start += CONCURRENCY) {
        const batch = resources.slice(start, start + CONCURRENCY);
        places.push(...(await Promise.all(batch.map((one) => placesOf(context, one)))).flat());
      }
    }
    const outside = places.filter(({ region }) => !allowed.includes(region));
    const [first] = outside;
    return [
      judged(
        'residency',
        outside.length === 0,
        outside.map(({ what, region }) => `${what} is in ${region}`).join(', ') ||
          `${looked} resources with data, and their copies, are in ${[...new Set(places.map(({ region }) => region))].toSorted().join(', ')}; not looked up: existing instances, and the stack of the second region`,
        `remove ${first?.what ?? ''} there, or name the region in allowedRegions, and deploy`,
      ),
    ];
  } catch (cause) {
    throw explain(cause, 'look where data is', target.label);
  }
}

async function stacksOf(client: CloudFormationClient, names: ReadonlySet<string>) {
  const { paginateDescribeStacks } = await import('@aws-sdk/client-cloudformation');
  const found: { readonly name: string; readonly region: string; readonly allowed: readonly string[] }[] = [];
  for await (const { Stacks = [] } of paginateDescribeStacks({ client }, {})) {
    for (const { StackName: name = '', StackId, Outputs = [] } of Stacks) {
      if (!names.has(name)) continue;
      const output = Outputs.find(({ OutputKey }) => OutputKey === ALLOWED_OUTPUT)?.OutputValue;
      found.push({ name, region: regionOf(StackId), allowed: output?.split(',') ?? [] });
    }
  }
  return found;
}

async function resourcesOf(client: CloudFormationClient, StackName: string): Promise<StackResourceSummary[]> {
  const { paginateListStackResources } = await import('@aws-sdk/client-cloudformation');
  const found: StackResourceSummary[] = [];
  for await (const { StackResourceSummaries = [] } of paginateListStackResources({ client }, { StackName })) {
    found.push(...StackResourceSummaries);
  }
  return found;
}

/** Fourth part of an ARN. Empty where it has none, which is allowed nowhere. */
const regionOf = (arn: string | undefined): string => arn?.split(':')[3] ?? '';
const copies = (arns: readonly (string | undefined)[], of: string): Place[] =>
  arns.map((arn = '') => ({ what: `${arn.split(':').at(-1) ?? ''}, a copy of ${of},`, region: regionOf(arn) }));

function placesOf(context: Context, { ResourceType = '', PhysicalResourceId: id = '' }: StackResourceSummary) {
  return LOOKS[ResourceType]?.(context, id) ?? Promise.resolve([]);
}

/** How each kind of resource says where its data is. The ones without a question are where their stack is. */
const LOOKS: Readonly<Record<string, (context: Context, id: string) => Promise<Place[]>>> = {
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

async function bucketPlaces({ clients }: Context, Bucket: string): Promise<Place[]> {
  const { GetBucketLocationCommand, GetBucketReplicationCommand } = await import('@aws-sdk/client-s3');
  const client = await clients.s3();
  // S3 answers nothing for the region in which it began.
  const locationOf = async (bucket: string) =>
    (await client.send(new GetBucketLocationCommand({ Bucket: bucket }))).LocationConstraint ?? 'us-east-1';
  const rules = await client.send(new GetBucketReplicationCommand({ Bucket })).then(
    ({ ReplicationConfiguration }) => ReplicationConfiguration?.Rules ?? [],
    (error: Error) => {
      if (error.name === 'ReplicationConfigurationNotFoundError') return [];
      throw error;
    },
  );
  const places: Place[] = [{ what: `bucket ${Bucket}`, region: await locationOf(Bucket) }];
  for (const { Destination } of rules) {
    const copy = Destination?.Bucket?.split(':').at(-1) ?? '';
    // A bucket of another account may say no: its stack, examples/backup-account, is in the region of the environment.
    if (Destination?.Account === undefined) {
      places.push({ what: `bucket ${copy}, a copy of ${Bucket},`, region: await locationOf(copy) });
    }
  }
  return places;
}

async function keyPlaces({ clients }: Context, KeyId: string): Promise<Place[]> {
  const { DescribeKeyCommand } = await import('@aws-sdk/client-kms');
  const { KeyMetadata } = await (await clients.kms()).send(new DescribeKeyCommand({ KeyId }));
  const replicas = KeyMetadata?.MultiRegionConfiguration?.ReplicaKeys ?? [];
  return replicas.map(({ Region = '' }) => ({ what: `a replica of key ${KeyId}`, region: Region }));
}

async function secretPlaces({ clients }: Context, SecretId: string): Promise<Place[]> {
  const { DescribeSecretCommand } = await import('@aws-sdk/client-secrets-manager');
  const { ReplicationStatus = [] } = await (
    await clients.secretsManager()
  ).send(new DescribeSecretCommand({ SecretId }));
  const name = SecretId.split(':').at(-1) ?? '';
  return ReplicationStatus.map(({ Region = '' }) => ({ what: `a replica of secret ${name}`, region: Region }));
}

async function instancePlaces({ clients }: Context, DBInstanceIdentifier: string): Promise<Place[]> {
  const { DescribeDBInstancesCommand } = await import('@aws-sdk/client-rds');
  const { DBInstances: [instance] = [] } = await (
    await clients.rds()
  ).send(new DescribeDBInstancesCommand({ DBInstanceIdentifier }));
  // Of the same region, a replica is named; of another, it has an ARN.
  const elsewhere = (instance?.ReadReplicaDBInstanceIdentifiers ?? []).filter((each) => each.startsWith('arn:'));
  const backups = instance?.DBInstanceAutomatedBackupsReplications ?? [];
  return copies(
    [...elsewhere, ...backups.map((each) => each.DBInstanceAutomatedBackupsArn)],
    `instance ${DBInstanceIdentifier}`,
  );
}

async function planPlaces({ clients }: Context, BackupPlanId: string): Promise<Place[]> {
  const { GetBackupPlanCommand } = await import('@aws-sdk/client-backup');
  const { BackupPlan } = await (await clients.backup()).send(new GetBackupPlanCommand({ BackupPlanId }));
  const actions = (BackupPlan?.Rules ?? []).flatMap(({ CopyActions = [] }) => CopyActions);
  return copies(
    actions.map((action) => action.DestinationBackupVaultArn),
    `the recovery points of plan ${BackupPlan?.BackupPlanName ?? BackupPlanId}`,
  );
}

async function logPlaces({ clients }: Context, logGroupName: string): Promise<Place[]> {
  const { DescribeSubscriptionFiltersCommand } = await import('@aws-sdk/client-cloudwatch-logs');
  const { subscriptionFilters = [] } = await (
    await clients.cloudWatchLogs()
  ).send(new DescribeSubscriptionFiltersCommand({ logGroupName }));
  return copies(
    subscriptionFilters.map(({ destinationArn }) => destinationArn),
    `log ${logGroupName}`,
  );
}
