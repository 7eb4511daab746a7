import type { Emitter } from '../cloudwatch/samples';
import { type Failure, HOUR, once } from './failure';
import { every, nothing, ofFunction } from './published';

const everyRun = (value: number): Emitter => every(2, value);

function fault(alarm: string, what: string, within: number, metric: string, emit: Emitter): Failure {
  return { alarm, fault: what, within, published: { [ofFunction('confirmations', metric)]: emit } };
}

/** For each alarm on payments in bitcoin, the fault that has to raise it. */
export const BITCOIN_FAILURES: readonly Failure[] = [
  fault('bitcoinPending', 'a payment is under way for 25 hours', 20, 'BitcoinOldestUnsettled', everyRun(25 * HOUR)),
  fault('bitcoinFailed', 'a payment comes too late', 5, 'BitcoinPaymentsLost', once()),
  fault('bitcoinSlow', 'payments take two hours', 20, 'BitcoinConfirmationTime', everyRun(2 * HOUR)),
  fault('bitcoinNodeUnreachable', 'the node is stopped', 20, 'BitcoinNodeUnreachable', everyRun(1)),
  fault('bitcoinNodeBehind', 'the node has no peers', 20, 'BitcoinBlockAge', everyRun(3 * HOUR)),
  fault('bitcoinReorganisation', 'three blocks are taken back', 5, 'BitcoinReorganisationDepth', once(3)),
  fault('confirmationsFailed', 'the secret has no password', 20, 'ConfirmationsFailed', everyRun(1)),
  fault('confirmationsMissing', 'the schedule is disabled', 20, 'ConfirmationsSucceeded', nothing),
];
