import { resourcesOf, templatesOf, type Resource } from '../support';

/**
 * Properties whose change makes CloudFormation put a new, empty resource in place of the one that holds the data, by type:
 * the `createOnlyProperties` of its resource specification, those that only sometimes replace (`Engine`,
 * `AvailabilityZone`, the source of an instance), and those that lose the data without a replacement – a key of another
 * kind, a secret that is generated again, a bucket that stops locking.
 */
export const REPLACING: Readonly<Record<string, readonly string[]>> = {
  'AWS::RDS::DBInstance': [
    'AvailabilityZone',
    'BackupTarget',
    'CharacterSetName',
    'CustomIAMInstanceProfile',
    'DBClusterIdentifier',
    'DBInstanceIdentifier',
    'DBName',
    'DBSnapshotIdentifier',
    'DBSubnetGroupName',
    'DBSystemId',
    'Engine',
    'KmsKeyId',
    'MasterUsername',
    'NcharCharacterSetName',
    'Port',
    'RestoreTime',
    'SourceDBInstanceAutomatedBackupsArn',
    'SourceDBInstanceIdentifier',
    'SourceDbiResourceId',
    'SourceRegion',
    'StorageEncrypted',
    'Timezone',
    'UseLatestRestorableTime',
  ],
  // An instance cannot stay where it is without its subnets and its network.
  'AWS::RDS::DBSubnetGroup': ['DBSubnetGroupName'],
  'AWS::EC2::VPC': ['CidrBlock', 'InstanceTenancy', 'Ipv4IpamPoolId', 'Ipv4NetmaskLength', 'VpcEncryptionControl'],
  'AWS::S3::Bucket': ['BucketName', 'BucketNamePrefix', 'BucketNamespace', 'ObjectLockEnabled'],
  'AWS::KMS::Key': ['KeySpec', 'KeyUsage', 'MultiRegion', 'Origin'],
  'AWS::SecretsManager::Secret': ['GenerateSecretString', 'Name'],
  'AWS::Backup::BackupVault': ['BackupVaultName', 'EncryptionKeyArn'],
  'AWS::SQS::Queue': ['FifoQueue', 'QueueName'],
  // These hold no data but are the address that Stripe posts to: another API or another stage name is another URL.
  'AWS::ApiGateway::RestApi': [],
  'AWS::ApiGateway::Stage': ['StageName'],
};

/** Resources of such a type that hold nothing worth keeping, by logical id, each with the reason. */
export const WORTHLESS: readonly [RegExp, string][] = [
  [/^AlertsKey/, 'encrypts messages in transit'],
  [/RecoveryConfirmations[0-9A-F]{8}$/, 'holds a question that expires after a day'],
  [/Failures[0-9A-F]{8}$/, 'holds requests that the next scheduled run repeats'],
];

/** What makes a resource the one that it is. */
export interface Identity {
  readonly type: string;
  /** Those of its replacing properties that the template sets. */
  readonly properties: Readonly<Record<string, unknown>>;
}

/** The identity of everything that must not be replaced, by stack and logical id. */
export type Identities = Readonly<Record<string, Readonly<Record<string, Identity>>>>;

/** @param environment name of a deployed environment */
export function identitiesOf(environment: string): Identities {
  const stacks = Object.entries(templatesOf(environment)).flatMap(([part, template]) => {
    const kept = template ? Object.entries(resourcesOf(template)).filter(mustStay) : [];
    const identities = kept.map(([id, resource]) => [id, identityOf(resource)] as const);
    return identities.length > 0
      ? [[part, Object.fromEntries(identities.toSorted(([a], [b]) => a.localeCompare(b)))] as const]
      : [];
  });
  return Object.fromEntries(stacks);
}

function mustStay([id, { Type }]: [string, Resource]): boolean {
  return Type in REPLACING && !WORTHLESS.some(([pattern]) => pattern.test(id));
}

function identityOf({ Type, Properties }: Resource): Identity {
  const replacing = (REPLACING[Type] ?? []).filter((property) => Properties[property] !== undefined);
  return { type: Type, properties: Object.fromEntries(replacing.map((property) => [property, Properties[property]])) };
}
