import { Duration, Stack, Token } from 'aws-cdk-lib';
import { CfnSecurityGroupIngress, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { ClientPasswordAuthType, DatabaseProxy, ProxyTarget } from 'aws-cdk-lib/aws-rds';
import { Secret, type ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { acknowledge } from '../policy/acknowledge';
import { acknowledgeOwnPolicy } from '../policy/acknowledge-permissions';
import type { AdmissionConfig } from '../config/network-settings';
import { removalPolicyOf } from '../config/removal-policy';
import { admit } from './admit';
import type { DatabaseAccess } from './database-access';
import { POSTGRES_PORT, type Database } from './database';
import type { DatabaseNetwork } from './network';

/**
 * Share of the instance's connections that the proxy may open. The rest is for what connects directly: backups,
 * migrations, people.
 */
const MAX_CONNECTIONS_PERCENT = 60;

export interface PooledConnectionsProps {
  /** Database behind the proxy. */
  readonly database: Database;
  /** How functions reach it without the proxy. */
  readonly access: DatabaseAccess;
  /** Whether there is a proxy. Without it, its log and security group stay: the name of the one, and references to the other. */
  readonly enabled: boolean;
  /** Who else connects through it. */
  readonly admit: AdmissionConfig;
  /** Network that the proxy is in. */
  readonly network: DatabaseNetwork;
  /** Encrypts the log. */
  readonly logKey: IKey;
  /** Keep the log when the stack is removed. */
  readonly removalProtection: boolean;
}

/**
 * An RDS Proxy before one database, for functions that come in numbers: it shares few connections among them and keeps
 * theirs open through a failover. Not for what holds state in its session – exported snapshots, advisory locks,
 * temporary tables – which would pin a connection for as long as it runs.
 */
export class PooledConnections extends Construct {
  /** The database as it is seen through the proxy. `undefined` without one. */
  readonly access: DatabaseAccess | undefined;
  /** `undefined` without a proxy. */
  readonly proxyName: string | undefined;

  constructor(scope: Construct, id: string, props: PooledConnectionsProps) {
    super(scope, id);
    const { database, network } = props;
    const { name } = database.access;
    const proxyName = database.settings.instanceIdentifier;
    const log = new LogGroup(this, 'Log', {
      // Made before RDS makes it without an expiry.
      logGroupName: `/aws/rds/proxy/${proxyName}`,
      retention: RetentionDays.ONE_YEAR,
      encryptionKey: props.logKey,
      removalPolicy: removalPolicyOf(props.removalProtection),
    });
    const securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc: network.vpc,
      description: `The proxy of the ${name} database. Each consumer adds the rule that lets it in`,
      allowAllOutbound: false,
    });
    // Also without a consumer: an export that a deployed stack uses cannot be removed.
    Stack.of(this).exportValue(securityGroup.securityGroupId);
    if (!props.enabled) return;
    admit(securityGroup, POSTGRES_PORT, props.admit, `the proxy of the ${name} database`);
    this.proxyName = proxyName;
    const proxy = new DatabaseProxy(this, 'Proxy', {
      dbProxyName: proxyName,
      proxyTarget: ProxyTarget.fromInstance(database.instance),
      vpc: network.vpc,
      vpcSubnets: { subnets: network.databaseSubnets(name) },
      securityGroups: [securityGroup],
      // A login that the proxy has no secret of cannot connect. Only the service comes in numbers.
      secrets: [database.secret, ...serviceLogin(this, props.access)],
      requireTLS: true,
      // With the credentials of the secret, as without the proxy: a function need not know which of the two it talks to.
      iamAuth: false,
      clientPasswordAuthType: ClientPasswordAuthType.POSTGRES_SCRAM_SHA_256,
      // No init query: the settings of sessions are those of the instance.
      maxConnectionsPercent: MAX_CONNECTIONS_PERCENT,
      maxIdleConnectionsPercent: 10,
      // Below the 10 s that functions wait for a connection, so that they get the proxy's reason instead of silence.
      borrowTimeout: Duration.seconds(8),
      idleClientTimeout: Duration.minutes(30),
      // Would write the text of every statement to the log, with personal data.
      debugLogging: false,
    });
    proxy.node.addDependency(log);
    acknowledgeOwnPolicy(proxy.node.findChild('IAMRole'));
    this.acknowledgeWayIn(database);
    this.access = { ...props.access, host: proxy.endpoint, port: POSTGRES_PORT, securityGroup };
  }

  /** The rule that the framework adds to the group of the database. */
  private acknowledgeWayIn({ securityGroup }: Database): void {
    for (const rule of securityGroup.node.children) {
      if (!(rule instanceof CfnSecurityGroupIngress) || !Token.isUnresolved(rule.fromPort)) continue;
      acknowledge(rule, {
        nag: [
          'NIST.800.53.R5-EC2RestrictedCommonPorts',
          'PCI.DSS.321-EC2RestrictedCommonPorts',
          'NIST.800.53.R5-EC2RestrictedSSH',
          'PCI.DSS.321-EC2RestrictedSSH',
        ],
        reason:
          'Lets in the proxy alone, on the port of the instance, which the rule cannot read because RDS answers it',
      });
    }
  }
}

function serviceLogin(scope: Construct, { logins }: DatabaseAccess): ISecret[] {
  const secretCompleteArn = logins?.secretArns.service;
  if (logins === undefined || secretCompleteArn === undefined) return [];
  return [Secret.fromSecretAttributes(scope, 'ServiceLogin', { secretCompleteArn, encryptionKey: logins.key })];
}
