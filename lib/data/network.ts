import {
  CfnEIP,
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpointAwsService,
  IpAddresses,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
  type IConnectable,
  type ISecurityGroup,
  type ISubnet,
  type IVpc,
} from 'aws-cdk-lib/aws-ec2';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { CfnIPSet } from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import { acknowledge } from '../policy/acknowledge';
import { acknowledgeOwnPolicy } from '../policy/acknowledge-permissions';
import type { NetworkConfig } from '../config/network-settings';
import { removalPolicyOf } from '../config/removal-policy';
import type { Egress } from './egress';

/**
 * The AWS APIs that backups and events depend on, each with an endpoint, so that credentials and commands do not depend on the
 * NAT gateways. The others, CloudWatch Logs and CloudFormation among them, go through NAT. Calls that Lambda makes for a function
 * (log, traces, failure destinations) and calls between services (their keys) do not pass through the network and need no endpoint.
 */
export const API_ENDPOINTS = {
  SecretsManager: InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
  Rds: InterfaceVpcEndpointAwsService.RDS,
  Sqs: InterfaceVpcEndpointAwsService.SQS,
  /** Signs archives, and gives out the key that checks them. */
  Kms: InterfaceVpcEndpointAwsService.KMS,
} as const;

export const HTTPS = 443;

/** A network that databases are created in. */
export interface DatabaseNetwork {
  /** Has private subnets for functions. */
  readonly vpc: IVpc;
  /** Security group of the endpoints of AWS APIs. Each caller adds the rule that admits it. @default - there are none */
  readonly apiSecurityGroup: ISecurityGroup | undefined;
  /** Where calls out of the network come from. @default - unknown */
  readonly egress: Egress | undefined;
  /** Subnets of one database, without a route out. */
  databaseSubnets(name: DatabaseName): ISubnet[];
  /** Admits a caller of this stack to the endpoints of AWS APIs. */
  allowApiCalls(caller: IConnectable, description: string): void;
}

export interface NetworkProps {
  /** Names the set of addresses. */
  readonly environmentName: string;
  /** Range, gateways and endpoints. */
  readonly settings: NetworkConfig;
  /** Keep the flow logs when the stack is removed. */
  readonly removalProtection: boolean;
  /** Encrypts the flow logs. */
  readonly logKey: IKey;
}

/** Three zones; public subnets for the gateways, private ones for functions, isolated ones for each database. */
export class Network extends Construct implements DatabaseNetwork {
  readonly vpc: IVpc;
  /** Security group of the endpoints of AWS APIs. Each caller adds the rule that admits it. */
  readonly apiSecurityGroup: ISecurityGroup;
  readonly egress: Egress;

  constructor(scope: Construct, id: string, props: NetworkProps) {
    super(scope, id);
    const vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr(props.settings.cidr),
      maxAzs: 3,
      natGateways: props.settings.natGateways,
      // See the acknowledgement below.
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: 'public', subnetType: SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
        { name: 'private', subnetType: SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 22 },
        ...DATABASE_NAMES.map((name) => ({ name, subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 26 })),
      ],
      // Archives bypass the NAT gateways, which charge per gigabyte.
      gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 } },
    });
    acknowledge(
      vpc,
      {
        nag: ['CloudFormation-Validate::W3010'],
        reason: 'The zones are pinned in the configuration of the environment, so that synthesis needs no AWS account',
      },
      {
        nag: ['NIST.800.53.R5-VPCDefaultSecurityGroupClosed', 'PCI.DSS.321-VPCDefaultSecurityGroupClosed'],
        reason:
          'No resource uses the default group; emptying it would need a custom resource with permission to change every security group',
      },
    );
    for (const subnet of vpc.publicSubnets) {
      acknowledge(subnet.node.findChild('DefaultRoute'), {
        nag: ['NIST.800.53.R5-VPCNoUnrestrictedRouteToIGW', 'PCI.DSS.321-VPCNoUnrestrictedRouteToIGW'],
        reason:
          'The route of the NAT gateways, which are the only resources in the public subnets and accept no inbound connections',
      });
    }
    this.vpc = vpc;
    this.egress = this.egressOf(vpc, props.environmentName);

    this.apiSecurityGroup = new SecurityGroup(this, 'ApiSecurityGroup', {
      vpc,
      description: 'The endpoints of AWS APIs. Each caller adds the rule that lets it in',
      allowAllOutbound: false,
    });
    // The group stays without endpoints: the functions' rules refer to it.
    for (const [name, service] of Object.entries(props.settings.apiEndpoints ? API_ENDPOINTS : {})) {
      vpc.addInterfaceEndpoint(name, {
        service,
        subnets: { subnetType: SubnetType.PRIVATE_WITH_EGRESS },
        securityGroups: [this.apiSecurityGroup],
        // `open` would admit every address of the network.
        open: false,
      });
    }

    const flowLog = vpc.addFlowLog('FlowLog', {
      trafficType: FlowLogTrafficType.ALL,
      destination: FlowLogDestination.toCloudWatchLogs(
        new LogGroup(this, 'FlowLogs', {
          // As long as the other access records.
          retention: RetentionDays.ONE_YEAR,
          encryptionKey: props.logKey,
          removalPolicy: removalPolicyOf(props.removalProtection),
        }),
      ),
    });
    acknowledgeOwnPolicy(flowLog.node.findChild('IAMRole'));
  }

  /**
   * The addresses of the NAT gateways, as a set of the firewall: the set stays where their number changes, and what refers to it
   * needs no deployment.
   */
  private egressOf(vpc: Vpc, environmentName: string): Egress {
    const addresses = vpc.publicSubnets.flatMap(({ node }) => {
      const gateway = node.tryFindChild('EIP');
      return gateway instanceof CfnEIP ? [`${gateway.attrPublicIp}/32`] : [];
    });
    const set = new CfnIPSet(this, 'Egress', {
      name: `BillingOps-${environmentName}-egress`,
      description: 'Addresses that functions of the network call from',
      scope: 'REGIONAL',
      ipAddressVersion: 'IPV4',
      addresses,
    });
    return { ipSetArn: set.attrArn };
  }

  /** The isolated subnets of one database: they hold no other database and have no route out. */
  databaseSubnets(name: DatabaseName): ISubnet[] {
    return this.vpc.selectSubnets({ subnetGroupName: name }).subnets;
  }

  /** Admits a caller of this stack to the endpoints of AWS APIs. */
  allowApiCalls(caller: IConnectable, description: string): void {
    this.apiSecurityGroup.connections.allowFrom(caller, Port.tcp(HTTPS), description);
  }
}
