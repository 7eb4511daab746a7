import { Validations } from 'aws-cdk-lib';
import {
  GatewayVpcEndpointAwsService,
  IpAddresses,
  SubnetType,
  Vpc,
  type ISubnet,
  type IVpc,
} from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import { DATABASE_NAMES, type DatabaseName } from '../../lambdas/shared/contract';

export interface NetworkProps {
  /** Gateways for outgoing traffic. One costs less; one in each zone survives the loss of a zone. */
  readonly natGateways: number;
}

/** Three zones; public subnets for the gateways, private ones for functions, isolated ones for each database. */
export class Network extends Construct {
  readonly vpc: IVpc;

  constructor(scope: Construct, id: string, props: NetworkProps) {
    super(scope, id);
    const vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr('10.40.0.0/16'),
      maxAzs: 3,
      natGateways: props.natGateways,
      // Would be emptied by a custom resource with wide permissions; nothing uses the default group.
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: 'public', subnetType: SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
        { name: 'private', subnetType: SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 22 },
        ...DATABASE_NAMES.map((name) => ({ name, subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 26 })),
      ],
      // Archives go to S3 past the NAT gateways, which charge for each gigabyte.
      gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 } },
    });
    Validations.of(vpc).acknowledge({
      id: 'CloudFormation-Validate::W3010',
      reason: 'Zones are pinned in the configuration of the environment, so that synthesis needs no account',
    });
    this.vpc = vpc;
  }

  /** The isolated subnets of one database: no other database, and no route out. */
  databaseSubnets(name: DatabaseName): ISubnet[] {
    return this.vpc.selectSubnets({ subnetGroupName: name }).subnets;
  }
}
