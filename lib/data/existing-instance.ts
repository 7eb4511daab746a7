import { Key } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import type { DatabaseName } from '../../core/contract';
import type { ExistingDatabaseConfig } from '../config/environment-schema';
import type { InstanceReferences } from './database';

/**
 * An instance that the stack did not make, and that is recovered nevertheless. What is not here is read from the instance
 * when a recovery begins; what it no longer tells once it is gone is here as well.
 */
export interface ExistingInstance extends InstanceReferences {
  /** Tells it apart from one that the stack made. */
  readonly kind: 'existing';
  /** Port by which the functions connect, which has to be that of the instance. */
  readonly port: number;
  /** Security groups of the instance, of which one admits the functions. */
  readonly securityGroupIds: readonly string[];
  /** With `db.`, such as `db.m7g.large`. */
  readonly instanceClass: string;
  /** Whether there is a standby in another zone. */
  readonly multiAz: boolean;
  /** GiB up to which storage grows automatically. @default - it does not grow */
  readonly maximumStorageGiB?: number;
}

/** Whether the stack did not make an instance, so that its settings are read when a workflow begins. */
export function isExisting(settings: object): settings is ExistingInstance {
  return 'kind' in settings;
}

/** The instance of an existing database that is recovered, by its settings. `undefined` where they have no `recovery`. */
export function existingInstance(
  scope: Construct,
  name: DatabaseName,
  settings: ExistingDatabaseConfig,
  removalProtection: boolean,
): ExistingInstance | undefined {
  const { recovery, instanceIdentifier, securityGroupId, port } = settings;
  if (!recovery || instanceIdentifier === undefined) return undefined;
  const { keyArns, proxyName: _, securityGroupIds, ...known } = recovery;
  return {
    kind: 'existing',
    instanceIdentifier,
    port,
    ...known,
    instanceClass: `db.${known.instanceClass}`,
    securityGroupIds: securityGroupIds ?? (securityGroupId === undefined ? [] : [securityGroupId]),
    keys: keyArns.map((arn, index) => Key.fromKeyArn(scope, `${name}InstanceKey${index}`, arn)),
    removalProtection,
  };
}
