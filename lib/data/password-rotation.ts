import { Duration } from 'aws-cdk-lib';
import { SubnetType } from 'aws-cdk-lib/aws-ec2';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { HostedRotation, type ISecret, type SingleUserHostedRotationOptions } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import type { FunctionLogin } from '../../core/access/contract';
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
 * Changes the password of the owner of the tables, every 90 days. Alternating users are for those who own nothing (see
 * {@link rotateLogin}): the clone of an owner would own what it creates, and need an administrator that does not rotate with it.
 * With a single user, the database has the new password for some seconds while the secret still holds the old one; the functions
 * then read the pending value, and none fails (see `createConnector`). Open connections stay open.
 *
 * @returns the function as who connects: the database has to admit it
 */
export function rotatePassword(scope: Construct, props: PasswordRotationProps): HostedRotation {
  return schedule(scope, props, rotationStem(props.name), (options) => HostedRotation.postgreSqlSingleUser(options));
}

export interface LoginRotationProps extends PasswordRotationProps {
  /** Which login it is. */
  readonly login: FunctionLogin;
  /** Secret of the owner, who changes the password. */
  readonly masterSecret: ISecret;
}

/**
 * Changes the password of the user of a pair that is not in use, every 90 days, and has the secret name that one. The former one
 * keeps its password until the next time, so a function that still has it in memory, or a proxy, connects all the same. Both
 * were made by `ops access apply`, with the same group: neither owns anything.
 *
 * @returns the function as who connects: the database has to admit it
 */
export function rotateLogin(scope: Construct, props: LoginRotationProps): HostedRotation {
  const { name, login, masterSecret } = props;
  return schedule(scope, props, rotationStem(name, login), (options) =>
    HostedRotation.postgreSqlMultiUser({ ...options, masterSecret }),
  );
}

function schedule(
  scope: Construct,
  { environmentName, network, secret, logKey, removalProtection }: PasswordRotationProps,
  stem: string,
  hosted: (options: SingleUserHostedRotationOptions) => HostedRotation,
): HostedRotation {
  const rotationName = functionName(environmentName, stem);
  const log = new LogGroup(scope, 'RotationLog', {
    // Made before Lambda makes it without an expiry and a key.
    logGroupName: `/aws/lambda/${rotationName}`,
    retention: RetentionDays.ONE_YEAR,
    encryptionKey: logKey,
    removalPolicy: removalPolicyOf(removalProtection),
  });
  const rotation = hosted({
    functionName: rotationName,
    vpc: network.vpc,
    vpcSubnets: { subnetType: SubnetType.PRIVATE_WITH_EGRESS },
    excludeCharacters: EXCLUDED_PASSWORD_CHARACTERS,
  });
  const scheduled = secret.addRotationSchedule('Rotation', {
    hostedRotation: rotation,
    automaticallyAfter: Duration.days(ROTATION_DAYS),
    // A deployment must not change a password that running functions use.
    rotateImmediatelyOnUpdate: false,
  });
  scheduled.node.addDependency(log);
  network.allowApiCalls(rotation, 'The rotation function stores the password');
  return rotation;
}
