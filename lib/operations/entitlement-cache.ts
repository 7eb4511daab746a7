import { CfnServerlessCache } from 'aws-cdk-lib/aws-elasticache';
import { CfnSecurityGroupIngress, Peer, Port, SecurityGroup, SubnetType, type IVpc } from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import type { OperationalFunction } from './operational-function';

/** ElastiCache Serverless takes reads and writes here. Reads from replicas, on the next port, may be out of date: not used. */
const PORT = 6379;

export interface EntitlementCacheProps {
  /** Name of the environment, which names contain. */
  readonly environmentName: string;
  /** Network of the functions that use the cache. */
  readonly vpc: IVpc;
}

/**
 * Caches computed entitlements. It holds nothing that the database does not: answers stay correct when it is empty or
 * unavailable. It is encrypted at rest, and TLS is the only way to connect.
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
      // Caps the bill. Entries are small and expire: a gigabyte holds a million users.
      cacheUsageLimits: { dataStorage: { unit: 'GB', maximum: 1 }, ecpuPerSecond: { maximum: 5000 } },
    });
    this.url = `rediss://${cache.attrEndpointAddress}:${cache.attrEndpointPort}`;
  }

  /** Admits a function, which has to run in the network of the cache. */
  allowAccess({ securityGroup, stem }: OperationalFunction): void {
    if (!securityGroup) throw new Error(`${stem} is in no network, so it cannot reach the cache`);
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
