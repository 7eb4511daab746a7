import { resourcesOf, templatesOf, type Resource } from '../support';

/**
 * Properties whose change makes CloudFormation put a new, empty resource in place of the one that holds the data, by type:
 * the `createOnlyProperties` of its resource specification, those that only sometimes are (`Engine`, `AvailabilityZone`,
 * what an instance is made from), and those that take the data away without a replacement – a key of another kind, a
 * secret that is generated again, a bucket that stops locking.
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
  // Without their subnets and their network, the instances cannot stay where they are.
  'AWS::RDS::DBSubnetGroup': ['DBSubnetGroupName'],
  'AWS::EC2::VPC': ['CidrBlock', 'InstanceTenancy', 'Ipv4IpamPoolId', 'Ipv4NetmaskLength', 'VpcEncryptionControl'],
  'AWS::S3::Bucket': ['BucketName', 'BucketNamePrefix', 'BucketNamespace', 'ObjectLockEnabled'],
  'AWS::KMS::Key': ['KeySpec', 'KeyUsage', 'MultiRegion', 'Origin'],
  'AWS::SecretsManager::Secret': ['GenerateSecretString', 'Name'],
  'AWS::Backup::BackupVault': ['BackupVaultName', 'EncryptionKeyArn'],
  'AWS::SQS::Queue': ['FifoQueue', 'QueueName'],
};

/** What is of such a type and still holds nothing worth keeping. */
export const WORTHLESS: readonly [RegExp, string][] = [
  [/^AlertsKey/, 'encrypts messages on their way'],
  [/RecoveryConfirmations[0-9A-F]{8}$/, 'holds a question that is void after a day'],
  [/Failures[0-9A-F]{8}$/, 'holds requests, which the next run of a schedule repeats'],
];

/** What makes a resource the one that it is. */
export interface Identity {
  readonly type: string;
  /** The replacing properties that it has. */
  readonly properties: Readonly<Record<string, unknown>>;
}

/** The identity of everything that holds data, by stack and logical id. */
export type Identities = Readonly<Record<string, Readonly<Record<string, Identity>>>>;

/** @param environment name of one that is deployed */
export function identitiesOf(environment: string): Identities {
  const stacks = Object.entries(templatesOf(environment)).flatMap(([part, template]) => {
    const holding = template ? Object.entries(resourcesOf(template)).filter(holdsData) : [];
    const identities = holding.map(([id, resource]) => [id, identityOf(resource)] as const);
    return identities.length > 0
      ? [[part, Object.fromEntries(identities.toSorted(([a], [b]) => a.localeCompare(b)))] as const]
      : [];
  });
  return Object.fromEntries(stacks);
}

function holdsData([id, { Type }]: [string, Resource]): boolean {
  return Type in REPLACING && !WORTHLESS.some(([pattern]) => pattern.test(id));
}

function identityOf({ Type, Properties }: Resource): Identity {
  const replacing = (REPLACING[Type] ?? []).filter((property) => Properties[property] !== undefined);
  return { type: Type, properties: Object.fromEntries(replacing.map((property) => [property, Properties[property]])) };
}
