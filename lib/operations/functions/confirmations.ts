import { Duration } from 'aws-cdk-lib';
import { Peer, Port } from 'aws-cdk-lib/aws-ec2';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import type { ConfirmationsEnvironment, ConfirmationsRequest } from '../../../lambdas/confirmations/contract';
import { nodePort, type BitcoinConfig } from '../../config/bitcoin-settings';
import { CONFIRMATIONS_SCHEDULE } from '../../config/schedules';
import type { DatabaseAccess } from '../../data/database-access';
import { billingDatabaseEnvironment } from '../database-connection';
import type { EntitlementCache } from '../entitlement-cache';
import { FunctionSchedule } from '../function-schedule';
import { OperationalFunction, type OperationsContext } from '../operational-function';

const HTTPS = 443;

export interface ConfirmationsProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** Network, node and its secret. */
  readonly bitcoin: BitcoinConfig;
  /** How to reach the billing database. */
  readonly billing: DatabaseAccess;
  /** Where entitlements that a payment changed are invalidated. @default - no cache */
  readonly cache?: EntitlementCache | undefined;
}

/** Follows the chain and the mempool of a Bitcoin node every two minutes, and brings expected payments up to date. */
export class Confirmations extends Construct {
  constructor(scope: Construct, id: string, props: ConfirmationsProps) {
    super(scope, id);
    const { context, bitcoin, billing, cache } = props;
    const target = new OperationalFunction<ConfirmationsEnvironment>(this, 'Confirmations', {
      context,
      stem: 'confirmations',
      description: 'Brings payments in bitcoin up to date with a node',
      environment: {
        ...billingDatabaseEnvironment(billing),
        CACHE_URL: cache?.url ?? '',
        BITCOIN_NETWORK: bitcoin.network,
        NODE_URL: bitcoin.nodeUrl,
        NODE_SECRET_ARN: bitcoin.secretArn,
      },
      // Less than the two minutes between two starts.
      timeout: Duration.seconds(110),
      // A full block with all of its inputs and outputs is 15 MB of JSON, and several times that as objects.
      memorySize: 1024,
      databases: [billing],
      // Two at a time would look at the same blocks.
      reservedConcurrentExecutions: 1,
      // No retry: the next run replaces this one.
      asynchronous: { retryAttempts: 0, maximumAge: Duration.minutes(2) },
    });
    const secret = Secret.fromSecretCompleteArn(target.function, 'NodeSecret', bitcoin.secretArn);
    secret.grantRead(target.function);
    if (bitcoin.secretKeyArn !== undefined) {
      Key.fromKeyArn(target.function, 'NodeSecretKey', bitcoin.secretKeyArn).grantDecrypt(target.function);
    }
    cache?.allowAccess(target);
    this.allowNode(target, bitcoin);

    new FunctionSchedule(this, 'EveryTwoMinutes', {
      target,
      definition: CONFIRMATIONS_SCHEDULE,
      description: 'Payments in bitcoin',
      input: { dryRun: false } satisfies ConfirmationsRequest,
    });
  }

  /** To the node's port only. HTTPS to anywhere is allowed already, to every function, for the APIs of AWS. */
  private allowNode({ securityGroup }: OperationalFunction<ConfirmationsEnvironment>, bitcoin: BitcoinConfig): void {
    const port = nodePort(bitcoin);
    const anywhere = port === HTTPS ? [] : [Peer.anyIpv4()];
    const peers = bitcoin.nodeCidrs.length > 0 ? bitcoin.nodeCidrs.map((cidr) => Peer.ipv4(cidr)) : anywhere;
    for (const peer of peers) securityGroup?.addEgressRule(peer, Port.tcp(port), 'JSON-RPC of the Bitcoin node');
  }
}
