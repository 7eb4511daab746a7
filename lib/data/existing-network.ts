import {
  Port,
  SecurityGroup,
  Vpc,
  type IConnectable,
  type ISecurityGroup,
  type ISubnet,
  type IVpc,
} from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import type { EnvironmentConfig } from '../config/environment-schema';
import { acknowledge } from '../policy/acknowledge';
import type { Egress } from './egress';
import { HTTPS, type DatabaseNetwork } from './network';

/** A network of the adopter's, whose subnets, gateways and endpoints are not this platform's. */
export class ExistingNetwork extends Construct implements DatabaseNetwork {
  readonly vpc: IVpc;
  readonly apiSecurityGroup: ISecurityGroup | undefined;
  readonly egress: Egress | undefined;

  constructor(scope: Construct, id: string, settings: NonNullable<EnvironmentConfig['existingNetwork']>) {
    super(scope, id);
    const { databaseSubnetIds, apiSecurityGroupId, egressAddresses, ...attributes } = settings;
    this.egress = egressAddresses && { addresses: egressAddresses };
    this.vpc = Vpc.fromVpcAttributes(this, 'Vpc', { ...attributes, isolatedSubnetIds: databaseSubnetIds });
    acknowledge(this.vpc, {
      nag: ['Annotation::@aws-cdk/aws-ec2:noSubnetRouteTableId'],
      reason: 'Functions and databases are put into these subnets; no construct of the app adds a route to them',
    });
    this.apiSecurityGroup =
      apiSecurityGroupId === undefined
        ? undefined
        : SecurityGroup.fromSecurityGroupId(this, 'ApiSecurityGroup', apiSecurityGroupId);
  }

  /** Both databases are in the subnets that the settings name; their security groups keep them apart. */
  databaseSubnets(): ISubnet[] {
    return this.vpc.isolatedSubnets;
  }

  allowApiCalls(caller: IConnectable, description: string): void {
    this.apiSecurityGroup?.connections.allowFrom(caller, Port.tcp(HTTPS), description);
  }
}
