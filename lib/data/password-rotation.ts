import { Duration } from 'aws-cdk-lib';
import { SubnetType } from 'aws-cdk-lib/aws-ec2';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { HostedRotation, type ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { functionName, type DatabaseName } from '../../core/contract';
import { removalPolicyOf } from '../config/removal-policy';
import { rotationStem } from '../config/rotation';
import type { DatabaseNetwork } from './network';

/** Characters that break connection URLs and shells, excluded at creation and at every rotation. */
export const EXCLUDED_PASSWORD_CHARACTERS = ' %+~`#$&*()|[]{}:;<>?!\'/@"\\,=^';
const ROTATION_DAYS = 90;

export interface PasswordRotationProps {
  /** Database whose password it is. */
  readonly name: DatabaseName;
  /** Name of the environment, which names contain. */
  readonly environmentName: string;
  /** Network that the function runs in. */
  readonly network: DatabaseNetwork;
  /** Secret with the password, and with where the database is. */
  readonly secret: ISecret;
  /** Encrypts the log. */
  readonly logKey: IKey;
  /** Keep the log when the stack is removed. */
  readonly removalProtection: boolean;
}

/**
 * Changes the password of one user, every 90 days. AWS's alternating users would need a second secret with an
 * administrator that does not rotate with it, and its `_clone` would own what it creates: the user of the next quarter
 * could not migrate that schema. With a single user, the database has the new password for some seconds while the
 * secret still holds the old one; the functions then read the pending value, and none fails (see `createConnector`).
 * Open connections stay open.
 *
 * @returns the function as who connects: the database has to admit it
 */
export function rotatePassword(scope: Construct, props: PasswordRotationProps): HostedRotation {
  const { name, network, secret, logKey } = props;
  const rotationName = functionName(props.environmentName, rotationStem(name));
  const log = new LogGroup(scope, 'RotationLog', {
    // Made before Lambda makes it without an expiry and a key.
    logGroupName: `/aws/lambda/${rotationName}`,
    retention: RetentionDays.ONE_YEAR,
    encryptionKey: logKey,
    removalPolicy: removalPolicyOf(props.removalProtection),
  });
  const rotation = HostedRotation.postgreSqlSingleUser({
    functionName: rotationName,
    vpc: network.vpc,
    vpcSubnets: { subnetType: SubnetType.PRIVATE_WITH_EGRESS },
    excludeCharacters: EXCLUDED_PASSWORD_CHARACTERS,
  });
  const schedule = secret.addRotationSchedule('Rotation', {
    hostedRotation: rotation,
    automaticallyAfter: Duration.days(ROTATION_DAYS),
    // A deployment must not change a password that running functions use.
    rotateImmediatelyOnUpdate: false,
  });
  schedule.node.addDependency(log);
  network.allowApiCalls(rotation, 'The rotation function stores the password');
  return rotation;
}
