import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { acknowledge } from './acknowledge';

/** How a function is run, as far as policy tools ask. */
export interface FunctionTraits {
  /** Whether its failures go to a queue of its own. */
  readonly asynchronous: boolean;
  readonly inNetwork: boolean;
  /** Whether it connects to a database. */
  readonly connects: boolean;
}

/** Accepts what policy tools find on every function of its kind. What is particular to one is accepted by its construct. */
export function acknowledgeFunction(fn: LambdaFunction, { asynchronous, inNetwork, connects }: FunctionTraits): void {
  acknowledge(
    fn,
    {
      nag: ['NIST.800.53.R5-LambdaDLQ', 'Serverless-LambdaDLQ'],
      checkov: ['CKV_AWS_116'],
      reason: asynchronous
        ? 'Requests that failed go to the queue of its failure destination, which unlike a dead-letter queue also says why'
        : 'Invoked synchronously, or by a queue that parks what failed: the caller sees each failure',
    },
    {
      checkov: ['CKV_AWS_173'],
      reason:
        'The variables are names, numbers and ARNs, encrypted with the key of Lambda; secrets are read from Secrets Manager',
    },
    {
      cfnLint: ['W3005'],
      reason:
        'The framework writes down the role beside its policy, of which the function depends on both: implied, and harmless',
    },
  );
  if (inNetwork) return;
  acknowledge(fn, {
    nag: ['NIST.800.53.R5-LambdaInsideVPC', 'PCI.DSS.321-LambdaInsideVPC'],
    checkov: ['CKV_AWS_117'],
    reason: connects
      ? 'An environment without a network names databases that are reached without one'
      : 'Connects to no database: outside the network it can reach none, and starts without waiting for an interface',
  });
}
