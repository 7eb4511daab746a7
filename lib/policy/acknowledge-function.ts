import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { acknowledge } from './acknowledge';

/** The settings of a function that policy tools look at. */
export interface FunctionTraits {
  /** Whether it is invoked asynchronously and has a failure queue. */
  readonly asynchronous: boolean;
  /** Whether it runs in the network. */
  readonly inNetwork: boolean;
  /** Whether it connects to a database. */
  readonly connects: boolean;
}

/**
 * Accepts what policy tools find on every function with these settings. Findings on one function only are accepted by its
 * construct.
 */
export function acknowledgeFunction(fn: LambdaFunction, { asynchronous, inNetwork, connects }: FunctionTraits): void {
  acknowledge(
    fn,
    {
      nag: ['NIST.800.53.R5-LambdaDLQ', 'Serverless-LambdaDLQ'],
      checkov: ['CKV_AWS_116'],
      reason: asynchronous
        ? 'Failed requests go to the queue of its failure destination, which unlike a dead-letter queue also records the error'
        : 'Invoked synchronously, or by a queue that parks failed messages: the caller sees each failure',
    },
    {
      checkov: ['CKV_AWS_173'],
      reason:
        'The variables are names, numbers and ARNs, encrypted with the AWS-managed key of Lambda; secrets are read from Secrets Manager',
    },
    {
      cfnLint: ['W3005'],
      reason:
        'The framework makes the function depend on its role as well as on the policy of the role, which implies it: redundant and harmless',
    },
  );
  if (inNetwork) return;
  acknowledge(fn, {
    nag: ['NIST.800.53.R5-LambdaInsideVPC', 'PCI.DSS.321-LambdaInsideVPC'],
    checkov: ['CKV_AWS_117'],
    reason: connects
      ? 'In an environment without a network, the databases are reachable without one'
      : 'It connects to no database: outside the network it cannot reach one, and it starts without waiting for a network interface',
  });
}
