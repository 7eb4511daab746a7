/** By what `cdk import` finds a resource, for the types that a removal leaves behind and a later deployment needs again. */
export const IMPORT_IDENTIFIERS: Readonly<Record<string, string>> = {
  'AWS::Backup::BackupVault': 'BackupVaultName',
  'AWS::KMS::Key': 'KeyId',
  'AWS::Logs::LogGroup': 'LogGroupName',
  'AWS::RDS::DBInstance': 'DBInstanceIdentifier',
  'AWS::RDS::DBParameterGroup': 'DBParameterGroupName',
  'AWS::RDS::DBSubnetGroup': 'DBSubnetGroupName',
  'AWS::S3::Bucket': 'BucketName',
  'AWS::SecretsManager::Secret': 'Id',
  'AWS::SQS::Queue': 'QueueUrl',
};

/** An event of a stack, as `aws cloudformation describe-stack-events` prints it; newest first. */
export interface StackEvent {
  /** Its name in the template. */
  readonly LogicalResourceId: string;
  /** Its name in AWS. */
  readonly PhysicalResourceId: string;
  /** Such as `AWS::KMS::Key`. */
  readonly ResourceType: string;
  /** `DELETE_SKIPPED` of what was kept. */
  readonly ResourceStatus: string;
}

/** What `cdk import --resource-mapping` reads: of each resource, the identifier and its value. */
export type ResourceMapping = Readonly<Record<string, Readonly<Record<string, string>>>>;

/**
 * The mapping by which a stack takes up again what it kept when it, or a part of it, was removed.
 *
 * @throws Error when the events hold nothing that was kept
 */
export function importMapping(events: readonly StackEvent[]): ResourceMapping {
  const mapping: Record<string, Record<string, string>> = {};
  for (const { LogicalResourceId, PhysicalResourceId, ResourceType, ResourceStatus } of events) {
    const identifier = IMPORT_IDENTIFIERS[ResourceType];
    if (ResourceStatus !== 'DELETE_SKIPPED' || identifier === undefined) continue;
    // The newest event comes first: an older one may be of a predecessor.
    mapping[LogicalResourceId] ??= { [identifier]: PhysicalResourceId };
  }
  if (Object.keys(mapping).length === 0) {
    throw new Error('No event says DELETE_SKIPPED: pass the events of the stack that was removed, by its id');
  }
  return mapping;
}
