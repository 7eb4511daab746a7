import { CfnSecurityGroupIngress } from 'aws-cdk-lib/aws-ec2';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { FUNCTION_LOGINS, LOGIN_USERS, type FunctionLogin } from '../../core/access/contract';
import { removalPolicyOf } from '../config/removal-policy';
import type { DatabaseAccess, DatabaseLogins } from './database-access';
import type { DatabaseNetwork } from './network';
import { EXCLUDED_PASSWORD_CHARACTERS, rotateLogin } from './password-rotation';

export interface FunctionLoginsProps {
  /** Name of the environment, which names contain. */
  readonly environmentName: string;
  /** The database, as its owner reaches it. */
  readonly access: DatabaseAccess;
  /** Network that the rotation functions run in. @default - the passwords do not rotate by themselves */
  readonly network: DatabaseNetwork | undefined;
  /** Encrypts the secrets. */
  readonly key: IKey;
  /** Encrypts the logs. */
  readonly logKey: IKey;
  /** Keep the secrets when the stack is removed. */
  readonly removalProtection: boolean;
}

/**
 * Secrets of the users that functions log in as, each of which may do what these functions need and no more. The users
 * themselves are made by `ops access apply`, which gives them these passwords.
 */
export class FunctionLogins extends Construct implements DatabaseLogins {
  readonly secretArns: DatabaseLogins['secretArns'];
  readonly key: IKey;

  constructor(scope: Construct, id: string, props: FunctionLoginsProps) {
    super(scope, id);
    this.key = props.key;
    const secrets = FUNCTION_LOGINS.flatMap((login) => {
      const username = LOGIN_USERS[props.access.name][login];
      return username === undefined ? [] : [[login, this.login(login, username, props)] as const];
    });
    this.secretArns = Object.fromEntries(secrets.map(([login, secret]) => [login, secret.secretArn]));
  }

  private login(login: FunctionLogin, username: string, props: FunctionLoginsProps): Secret {
    const { access, environmentName, network, key, logKey, removalProtection } = props;
    const { name, host, port, databaseName, secretArn, secretKey, securityGroup } = access;
    const scope = new Construct(this, `${login.charAt(0).toUpperCase()}${login.slice(1)}`);
    const secret = new Secret(scope, 'Secret', {
      description: `Functions log in to the ${name} database by it: ${login} (${environmentName})`,
      encryptionKey: key,
      generateSecretString: {
        // As AWS's rotation of alternating users wants it. Without `ssl`, it falls back to a connection in plaintext.
        secretStringTemplate: JSON.stringify({
          engine: 'postgres',
          host,
          port,
          dbname: databaseName,
          username,
          ssl: true,
          masterarn: secretArn,
        }),
        generateStringKey: 'password',
        passwordLength: 40,
        excludeCharacters: EXCLUDED_PASSWORD_CHARACTERS,
      },
      removalPolicy: removalPolicyOf(removalProtection),
    });
    if (!network) return secret;
    const masterSecret = Secret.fromSecretAttributes(scope, 'Owner', {
      secretCompleteArn: secretArn,
      ...(secretKey ? { encryptionKey: secretKey } : {}),
    });
    const rotation = rotateLogin(scope, {
      name,
      login,
      environmentName,
      network,
      secret,
      masterSecret,
      logKey,
      removalProtection,
    });
    const [group] = rotation.connections.securityGroups;
    if (!securityGroup || !group) return secret;
    new CfnSecurityGroupIngress(scope, 'FromRotation', {
      groupId: securityGroup.securityGroupId,
      sourceSecurityGroupId: group.securityGroupId,
      ipProtocol: 'tcp',
      fromPort: port,
      toPort: port,
      description: `The rotation function changes the password of ${login}`,
    });
    return secret;
  }
}
