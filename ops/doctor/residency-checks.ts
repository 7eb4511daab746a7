import type { CloudFormationClient, StackResourceSummary } from '@aws-sdk/client-cloudformation';
import type { DBInstance } from '@aws-sdk/client-rds';
import { functionName } from '../../core/contract';
import type { CollectorEnvironment } from '../../lambdas/collector/contract';
import type { Context } from '../context';
import { configurationOf } from '../discover';
import { counted } from '../print/units';
import { explain } from '../errors';
import { type Finding, judged } from './finding';

/** Output of the Data stack that names the regions in which data may be, separated by commas. */
const ALLOWED_OUTPUT = 'AllowedRegions';
/** The stacks in the region of an environment. Another environment may begin with the name of this one. */
const STACKS = ['Data', 'Operations', 'Monitoring'];
/** The stack in the second region. */
const COPIES_STACK = 'Recovery';
/** Resources looked up at a time: AWS allows ten requests a second of some of these APIs. */
const CONCURRENCY = 5;

/** Where data of a resource is, besides the region of its stack. */
interface Place {
  readonly what: string;
  readonly region: string;
}

/**
 * Whether buckets, keys, secrets, instances, vaults, log groups and the cache of the stacks, that of the second region included, and
 * every copy or replica that these are set up to make, are in regions that the settings allow; and instances that existed before, with
 * theirs. Synthesis refuses others; this finds what was set up by hand.
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
    const resources: StackResourceSummary[] = [];
    for (const { name, region } of stacks) {
      resources.push(...(await resourcesOf(client, name)).filter(isLooked));
      places.push({ what: name, region });
    }
    places.push(...(await placesOfAll(resources, (one) => placesOf(context, one))));
    const others = allowed.filter((region) => !stacks.some((stack) => stack.region === region));
    const copies = (await Promise.all(others.map((region) => copiesIn(context, region)))).flat();
    places.push(...(await placesOfAll(copies, ({ region, resource }) => placesOf(context, resource, region))));
    const existing = await existingInstances(context, resources);
    places.push(...(await placesOfAll(existing, (id) => existingPlaces(context, id))));
    const outside = places.filter(({ region }) => !allowed.includes(region));
    const [first] = outside;
    const regions = [...new Set(places.map(({ region }) => region))].toSorted().join(', ');
    const of = [
      `${resources.length} resources with data`,
      ...(copies.length > 0 ? [`${copies.length} of the second region`] : []),
      ...(existing.length > 0 ? [counted(existing.length, 'existing instance')] : []),
    ];
    return [
      judged(
        'residency',
        outside.length === 0,
        outside.map(({ what, region }) => `${what} is in ${region}`).join(', ') ||
          `${of.join(', ')}, and their copies, are in ${regions}`,
        `remove ${first?.what ?? ''} there, or name the region in allowedRegions, and deploy`,
      ),
    ];
  } catch (cause) {
    throw explain(cause, 'look where data is', target.label);
  }
}

const isLooked = ({ ResourceType = '' }: StackResourceSummary): boolean => ResourceType in LOOKS;

async function placesOfAll<Item>(items: readonly Item[], look: (item: Item) => Promise<Place[]>): Promise<Place[]> {
  const places: Place[] = [];
  for (let start = 0; start < items.length; start += CONCURRENCY) {
    places.push(...(await Promise.all(items.slice(start, start + CONCURRENCY).map(look))).flat());
  }
  return places;
}

/** Resources of the stack with the copies, where it is in a region; none where it is not. */
async function copiesIn(
  { clients, target }: Context,
  region: string,
): Promise<{ readonly region: string; readonly resource: StackResourceSummary }[]> {
  try {
    const client = await clients.cloudFormation(region);
    const found = await resourcesOf(client, functionName(target.environment, COPIES_STACK));
    return found.filter(isLooked).map((resource) => ({ region, resource }));
  } catch (error) {
    if (error instanceof Error && error.name === 'ValidationError' && error.message.includes('does not exist'))
      return [];
    throw error;
  }
}

/** Instances that functions connect to and no stack made. */
async function existingInstances(context: Context, resources: readonly StackResourceSummary[]): Promise<string[]> {
  const { variables } = await configurationOf<CollectorEnvironment>(context, 'collector');
  const made = new Set(resources.map(({ PhysicalResourceId }) => PhysicalResourceId));
  const named = [variables.BILLING_INSTANCE_IDENTIFIER ?? '', variables.MAIN_INSTANCE_IDENTIFIER ?? ''];
  return [...new Set(named)].filter((id) => id !== '' && !made.has(id));
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

/** @param region of its stack, where that is another than the environment's */
function placesOf(
  context: Context,
  { ResourceType = '', PhysicalResourceId: id = '' }: StackResourceSummary,
  region?: string,
): Promise<Place[]> {
  return LOOKS[ResourceType]?.(context, id, region) ?? Promise.resolve([]);
}

/** How each kind of resource says where its data is. The ones without a question are where their stack is. */
const LOOKS: Readonly<Record<string, (context: Context, id: string, region?: string) => Promise<Place[]>>> = {
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

async function keyPlaces({ clients }: Context, KeyId: string, region?: string): Promise<Place[]> {
  const { DescribeKeyCommand } = await import('@aws-sdk/client-kms');
  const { KeyMetadata } = await (await clients.kms(region)).send(new DescribeKeyCommand({ KeyId }));
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

async function instancePlaces(context: Context, id: string): Promise<Place[]> {
  return copiesOf(await instanceOf(context, id), id);
}

/** Of an instance that no stack made, where it is itself, too. */
async function existingPlaces(context: Context, id: string): Promise<Place[]> {
  const instance = await instanceOf(context, id);
  return [{ what: `instance ${id}`, region: regionOf(instance?.DBInstanceArn) }, ...copiesOf(instance, id)];
}

async function instanceOf({ clients }: Context, DBInstanceIdentifier: string): Promise<DBInstance | undefined> {
  const { DescribeDBInstancesCommand } = await import('@aws-sdk/client-rds');
  const answer = await (await clients.rds()).send(new DescribeDBInstancesCommand({ DBInstanceIdentifier }));
  return answer.DBInstances?.[0];
}

function copiesOf(instance: DBInstance | undefined, id: string): Place[] {
  // Of the same region, a replica is named; of another, it has an ARN.
  const elsewhere = (instance?.ReadReplicaDBInstanceIdentifiers ?? []).filter((each) => each.startsWith('arn:'));
  const backups = instance?.DBInstanceAutomatedBackupsReplications ?? [];
  return copies([...elsewhere, ...backups.map((each) => each.DBInstanceAutomatedBackupsArn)], `instance ${id}`);
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
