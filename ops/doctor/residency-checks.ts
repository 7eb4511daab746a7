import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import type { DBInstance } from '@aws-sdk/client-rds';
import { functionName } from '../../core/contract';
import type { StackResource } from '../../core/runtime/stack-resources';
import type { CollectorEnvironment } from '../../lambdas/collector/contract';
import type { Context } from '../context';
import { configurationOf } from '../discover';
import { counted } from '../print/units';
import { explain } from '../errors';
import { resourcesOf } from '../stack-resources';
import { type Finding, judged } from './finding';

/** Output of the Data stack that names the regions in which data may be, separated by commas. */
const ALLOWED_OUTPUT = 'AllowedRegions';
/** The stacks in the region of an environment. Another environment may begin with the name of this one. */
const STACKS = ['Data', 'Operations', 'Monitoring'];
/** The stack in the second region. */
const COPIES_STACK = 'Recovery';
/** Resources looked up at a time: AWS allows ten requests a second of some of these APIs. */
const CONCURRENCY = 5;

/** Host of an RDS instance: its identifier and region. */
const RDS_HOST = /^([a-z0-9-]+)\.[a-z0-9]+\.([a-z0-9-]+)\.rds\.amazonaws\.com(?:\.cn)?$/;

/** Where data of a resource is, besides the region of its stack. */
interface Place {
  readonly what: string;
  /** Undefined where it could not be told. */
  readonly region: string | undefined;
}

/** An instance that functions connect to and no stack made. */
interface Existing {
  readonly id: string;
  /** Undefined where the host does not name it, such as a CNAME. */
  readonly region: string | undefined;
}

/**
 * Whether buckets, keys, secrets, instances, vaults, log groups and the cache of the stacks, that of the second region included, and
 * every copy or replica that these are set up to make, are in regions that the settings allow; and instances that existed before, with
 * theirs; and buckets of copies that a former second region still has. Synthesis refuses others; this finds what was set up by hand.
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
    const resources: StackResource[] = [];
    for (const { name, region } of stacks) {
      resources.push(...(await resourcesOf(client, name)).filter(isLooked));
      places.push({ what: name, region });
    }
    places.push(...(await placesOfAll(resources, (one) => placesOf(context, one))));
    const others = allowed.filter((region) => !stacks.some((stack) => stack.region === region));
    const copies = (await Promise.all(others.map((region) => copiesIn(context, region)))).flat();
    places.push(...(await placesOfAll(copies, ({ region, resource }) => placesOf(context, resource, region))));
    places.push(...(await formerCopies(context, copies)));
    const existing = await existingInstances(context, resources);
    places.push(...(await placesOfAll(existing, (one) => existingPlaces(context, one))));
    const outside = places.filter(({ region }) => region === undefined || !allowed.includes(region));
    const regions = [...new Set(places.map(({ region = '' }) => region))].toSorted().join(', ');
    const of = [
      `${resources.length} resources with data`,
      ...(copies.length > 0 ? [`${copies.length} of the second region`] : []),
      ...(existing.length > 0 ? [counted(existing.length, 'existing instance')] : []),
    ];
    return [
      judged(
        'residency',
        outside.length === 0,
        outside.map(described).join(', ') || `${of.join(', ')}, and their copies, are in ${regions}`,
        fixOf(outside),
      ),
    ];
  } catch (cause) {
    throw explain(cause, 'look where data is', target.label);
  }
}

const described = ({ what, region }: Place): string =>
  region === undefined ? `the region of ${what} could not be told` : `${what} is in ${region}`;

function fixOf(outside: readonly Place[]): string {
  const found = outside.find(({ region }) => region !== undefined);
  return found === undefined
    ? 'name the instance by the host that RDS gives it, and deploy; look up by hand what another account has'
    : `remove ${found.what} there, or name the region in allowedRegions, and deploy`;
}

const isLooked = ({ type }: StackResource): boolean => type in LOOKS;

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
): Promise<{ readonly region: string; readonly resource: StackResource }[]> {
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

/**
 * Buckets with copies of archives that are in no stack of an allowed region: those of a former second region, which no setting names
 * any more. Their names are a convention of `lib/data/recovery-region.ts`.
 */
async function formerCopies(
  { clients, target }: Context,
  copies: readonly { readonly resource: StackResource }[],
): Promise<Place[]> {
  const { ListBucketsCommand } = await import('@aws-sdk/client-s3');
  const Prefix = `billing-ops-${target.environment}-archives-`;
  const { Buckets = [] } = await (await clients.s3()).send(new ListBucketsCommand({ Prefix }));
  const known = new Set(copies.map(({ resource }) => resource.id));
  // Followed by the account: another environment may be named as this one and `-archives`.
  return Buckets.filter(({ Name = '' }) => !known.has(Name) && /^\d{12}-/.test(Name.slice(Prefix.length))).map(
    ({ Name = '', BucketRegion }) => ({ what: `bucket ${Name}`, region: BucketRegion }),
  );
}

/** By the identifiers of the settings, or by the hosts where these are of RDS. */
async function existingInstances(context: Context, resources: readonly StackResource[]): Promise<Existing[]> {
  const { variables } = await configurationOf<CollectorEnvironment>(context, 'collector');
  const made = new Set(resources.map(({ id }) => id));
  const found = new Map<string, Existing>();
  for (const [identifier = '', host = ''] of [
    [variables.BILLING_INSTANCE_IDENTIFIER, variables.BILLING_DATABASE_HOST],
    [variables.MAIN_INSTANCE_IDENTIFIER, variables.MAIN_DATABASE_HOST],
  ]) {
    const [, id = identifier, region] = RDS_HOST.exec(host) ?? [];
    if (id !== '' && !made.has(id)) found.set(`${id} ${region}`, { id, region });
  }
  return [...found.values()];
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

/** Fourth part of an ARN. Empty where it has none, which is allowed nowhere. */
const regionOf = (arn: string | undefined): string => arn?.split(':')[3] ?? '';
const copies = (arns: readonly (string | undefined)[], of: string): Place[] =>
  arns.map((arn = '') => ({ what: `${arn.split(':').at(-1) ?? ''}, a copy of ${of},`, region: regionOf(arn) }));

/** @param region of its stack, where that is another than the environment's */
function placesOf(context: Context, { type, id }: StackResource, region?: string): Promise<Place[]> {
  return LOOKS[type]?.(context, id, region) ?? Promise.resolve([]);
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

async function secretPlaces({ clients }: Context, SecretId: string, region?: string): Promise<Place[]> {
  const { DescribeSecretCommand } = await import('@aws-sdk/client-secrets-manager');
  const { ReplicationStatus = [] } = await (
    await clients.secretsManager(region)
  ).send(new DescribeSecretCommand({ SecretId }));
  const name = SecretId.split(':').at(-1) ?? '';
  return ReplicationStatus.map(({ Region = '' }) => ({ what: `a replica of secret ${name}`, region: Region }));
}

async function instancePlaces(context: Context, id: string, region?: string): Promise<Place[]> {
  return copiesOf(await instanceOf(context, id, region), id);
}

/** Of an instance that no stack made, where it is itself, too. RDS knows only the instances of the region that is asked. */
async function existingPlaces(context: Context, { id, region }: Existing): Promise<Place[]> {
  const what = `instance ${id}`;
  try {
    const instance = await instanceOf(context, id, region);
    return [{ what, region: region ?? regionOf(instance?.DBInstanceArn) }, ...copiesOf(instance, id)];
  } catch (error) {
    if (!(error instanceof Error && error.name === 'DBInstanceNotFoundFault')) throw error;
    const itself = { what, region };
    return region === undefined ? [itself] : [itself, { what: `the copies of ${what}`, region: undefined }];
  }
}

async function instanceOf(
  { clients }: Context,
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

async function planPlaces({ clients }: Context, BackupPlanId: string, region?: string): Promise<Place[]> {
  const { GetBackupPlanCommand } = await import('@aws-sdk/client-backup');
  const { BackupPlan } = await (await clients.backup(region)).send(new GetBackupPlanCommand({ BackupPlanId }));
  const actions = (BackupPlan?.Rules ?? []).flatMap(({ CopyActions = [] }) => CopyActions);
  return copies(
    actions.map((action) => action.DestinationBackupVaultArn),
    `the recovery points of plan ${BackupPlan?.BackupPlanName ?? BackupPlanId}`,
  );
}

async function logPlaces({ clients }: Context, logGroupName: string, region?: string): Promise<Place[]> {
  const { DescribeSubscriptionFiltersCommand } = await import('@aws-sdk/client-cloudwatch-logs');
  const { subscriptionFilters = [] } = await (
    await clients.cloudWatchLogs(region)
  ).send(new DescribeSubscriptionFiltersCommand({ logGroupName }));
  return copies(
    subscriptionFilters.map(({ destinationArn }) => destinationArn),
    `log ${logGroupName}`,
  );
}
