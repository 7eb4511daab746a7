import { CfnServerlessCache } from 'aws-cdk-lib/aws-elasticache';
import { CfnSecurityGroupIngress, Peer, Port, SecurityGroup, SubnetType, type IVpc } from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import type { OperationalFunction } from './operational-function';

/** ElastiCache Serverless takes writes on one port and reads from replicas on the next. */
const PORT = 6379;
const READER_PORT = 6380;

export interface EntitlementCacheProps {
  readonly environmentName: string;
  readonly vpc: IVpc;
}

/**
 * Keeps computed entitlements near those who ask. Holds nothing that the database does not: it may be empty, stale for a
 * moment or away, and answers stay right. Always encrypted, at rest and – there is no other way in – by TLS.
 */
export class EntitlementCache extends Construct {
  /** `rediss://host:port` */
  readonly url: string;
  private readonly securityGroup: SecurityGroup;

  constructor(scope: Construct, id: string, props: EntitlementCacheProps) {
    super(scope, id);
    this.securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc: props.vpc,
      description: 'The cache of entitlements. Each consumer adds the rule that lets it in',
      allowAllOutbound: false,
    });
    const cache = new CfnServerlessCache(this, 'Cache', {
      serverlessCacheName: `billing-operations-${props.environmentName}`,
      description: 'Entitlements, by user and project',
      engine: 'valkey',
      majorEngineVersion: '8',
      subnetIds: props.vpc.selectSubnets({ subnetType: SubnetType.PRIVATE_WITH_EGRESS }).subnetIds,
      securityGroupIds: [this.securityGroup.securityGroupId],
      // The bill's ceiling. Entries are small and expire: a gigabyte is a million users.
      cacheUsageLimits: { dataStorage: { unit: 'GB', maximum: 1 }, ecpuPerSecond: { maximum: 5000 } },
    });
    this.url = `rediss://${cache.attrEndpointAddress}:${cache.attrEndpointPort}`;
  }

  /** Lets a function in. It has to run in the cache's network. */
  allowAccess({ securityGroup, stem }: OperationalFunction): void {
    if (!securityGroup) throw new Error(`${stem} is in no network, so it cannot reach the cache`);
    const ports = Port.tcpRange(PORT, READER_PORT);
    const description = `${stem} reads and writes entitlements`;
    securityGroup.addEgressRule(Peer.securityGroupId(this.securityGroup.securityGroupId), ports, description);
    // A resource of its own: each of the two groups names the other.
    new CfnSecurityGroupIngress(this, `From-${stem}`, {
      groupId: this.securityGroup.securityGroupId,
      sourceSecurityGroupId: securityGroup.securityGroupId,
      ipProtocol: 'tcp',
      fromPort: PORT,
      toPort: READER_PORT,
      description,
    });
  }
}
