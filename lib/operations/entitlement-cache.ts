import { CfnServerlessCache, CfnUser, CfnUserGroup } from 'aws-cdk-lib/aws-elasticache';
import { CfnSecurityGroupIngress, Peer, Port, SecurityGroup, SubnetType, type IVpc } from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { OperationalFunction } from './operational-function';

/** ElastiCache Serverless takes reads and writes here. Reads from replicas, on the next port, may be out of date: not used. */
const PORT = 6379;

/** What the functions do with the keys of entitlements, and what a client says when it connects. No key of anything else. */
const ACCESS = 'on ~entitlements:* resetchannels -@all +get +set +eval +hello +auth +ping +client|setinfo';

export interface EntitlementCacheProps {
  /** Name of the environment, which names contain. */
  readonly environmentName: string;
  /** Network of the functions that use the cache. */
  readonly vpc: IVpc;
}

/**
 * Caches computed entitlements. It holds nothing that the database does not: answers stay correct when it is empty or
 * unavailable. It is encrypted at rest, TLS is the only way to connect, and its one user is known by IAM: there is no password.
 */
export class EntitlementCache extends Construct {
  /** `rediss://user@host:port` */
  readonly url: string;
  private readonly securityGroup: SecurityGroup;
  private readonly cache: CfnServerlessCache;
  private readonly user: CfnUser;

  constructor(scope: Construct, id: string, props: EntitlementCacheProps) {
    super(scope, id);
    this.securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc: props.vpc,
      description: 'The cache of entitlements. Each consumer adds the rule that lets it in',
      allowAllOutbound: false,
    });
    // The functions sign with the name of the user for the name of the cache: one name is both.
    const name = `billing-operations-${props.environmentName}`;
    const user = new CfnUser(this, 'User', {
      engine: 'valkey',
      userId: name,
      // IAM takes no other name than the id.
      userName: name,
      authenticationMode: { Type: 'iam' },
      accessString: ACCESS,
    });
    // A group of Valkey needs no user `default`, and takes none without a password: nobody gets in but this user.
    const users = new CfnUserGroup(this, 'Users', { engine: 'valkey', userGroupId: name, userIds: [user.ref] });
    this.user = user;
    this.cache = new CfnServerlessCache(this, 'Cache', {
      serverlessCacheName: name,
      userGroupId: users.ref,
      description: 'Entitlements, by user and project',
      engine: 'valkey',
      majorEngineVersion: '8',
      subnetIds: props.vpc.selectSubnets({ subnetType: SubnetType.PRIVATE_WITH_EGRESS }).subnetIds,
      securityGroupIds: [this.securityGroup.securityGroupId],
      // Caps the bill. Entries are small and expire: a gigabyte holds a million users.
      cacheUsageLimits: { dataStorage: { unit: 'GB', maximum: 1 }, ecpuPerSecond: { maximum: 5000 } },
    });
    this.url = `rediss://${name}@${this.cache.attrEndpointAddress}:${this.cache.attrEndpointPort}`;
  }

  /** Admits a function, which has to run in the network of the cache, and lets it in as the user. */
  allowAccess({ function: fn, securityGroup, stem }: OperationalFunction): void {
    if (!securityGroup) throw new Error(`${stem} is in no network, so it cannot reach the cache`);
    fn.addToRolePolicy(
      new PolicyStatement({ actions: ['elasticache:Connect'], resources: [this.cache.attrArn, this.user.attrArn] }),
    );
    const description = `${stem} reads and writes entitlements`;
    securityGroup.addEgressRule(Peer.securityGroupId(this.securityGroup.securityGroupId), Port.tcp(PORT), description);
    // A separate resource, because each of the two groups refers to the other.
    new CfnSecurityGroupIngress(this, `From-${stem}`, {
      groupId: this.securityGroup.securityGroupId,
      sourceSecurityGroupId: securityGroup.securityGroupId,
      ipProtocol: 'tcp',
      fromPort: PORT,
      toPort: PORT,
      description,
    });
  }
}
