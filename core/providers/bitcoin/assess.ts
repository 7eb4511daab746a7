import type { BitcoinStatus } from './contract';

/** What was expected. */
export interface ExpectedPayment {
  /** Satoshi. */
  readonly amount: number;
  /** Blocks on a transaction, its own included, from which on it counts as paid. */
  readonly confirmations: number;
  readonly expiresAt: Date;
}

/** A transaction that pays it. */
export interface PayingTransaction {
  /** Satoshi that it pays to the payment's address. */
  readonly amount: number;
  readonly state: 'mempool' | 'block' | 'replaced' | 'double_spent' | 'dropped';
  /** Of its block; ignored in other states than `block`. */
  readonly height: number | null;
  /** The moment that decides whether it was in time. */
  readonly arrivedAt: Date;
}

/** What became of a payment. */
export interface Assessment {
  readonly status: BitcoinStatus;
  /** Satoshi of all transactions that are in the mempool or in a block. */
  readonly received: number;
  /** Of those in a block. */
  readonly inBlocks: number;
  /** Height at which blocks alone change the status; null when they do not. */
  readonly reviewHeight: number | null;
}

const sumOf = (transactions: readonly PayingTransaction[]): number =>
  transactions.reduce((sum, { amount }) => sum + amount, 0);

/**
 * What a payment is, as a function of what is known now: never of the order in which it became known. So a reorganisation, a
 * replaced transaction or a second payment needs no rule of its own.
 *
 * Only what arrived in time can settle a payment, because the price of the coins is another one later; what arrived late is
 * held for a person to decide.
 *
 * @param tip height of the chain
 */
export function assess(
  { amount, confirmations, expiresAt }: ExpectedPayment,
  transactions: readonly PayingTransaction[],
  tip: number,
  now: Date,
): Assessment {
  const live = transactions.filter(({ state }) => state === 'mempool' || state === 'block');
  const received = sumOf(live);
  const inBlocks = sumOf(live.filter(({ state }) => state === 'block'));
  const inTime = live.filter(({ arrivedAt }) => arrivedAt <= expiresAt);
  const settlesAt = heightThatSettles(inTime, amount, confirmations);
  const isExpired = now > expiresAt;
  const as = (status: BitcoinStatus, reviewHeight: number | null = null): Assessment => ({
    status,
    received,
    inBlocks,
    reviewHeight,
  });

  if (settlesAt !== undefined && settlesAt <= tip) return as('settled');
  if (settlesAt !== undefined) return as('confirmed', settlesAt);
  if (sumOf(inTime) >= amount) return as('seen');
  if (received >= amount) return as('late');
  if (received > 0) return as(isExpired ? 'failed' : 'underpaid');
  // Nothing of it is there any more. A transaction that was dropped or replaced may be followed by another until the payment
  // expires; the coins of one that was double-spent went elsewhere for good.
  if (transactions.some(({ state }) => state === 'double_spent')) return as('failed');
  if (!isExpired) return as('pending');
  return as(transactions.length > 0 ? 'failed' : 'expired');
}

/** The height at which transactions that pay enough have enough confirmations; `undefined` while too few are in blocks. */
function heightThatSettles(
  transactions: readonly PayingTransaction[],
  amount: number,
  confirmations: number,
): number | undefined {
  let missing = amount;
  const confirmed = transactions.flatMap((each) =>
    each.state === 'block' && each.height !== null ? [{ amount: each.amount, height: each.height }] : [],
  );
  for (const { amount: paid, height } of confirmed.toSorted((a, b) => a.height - b.height)) {
    missing -= paid;
    // A block is its own first confirmation.
    if (missing <= 0) return height + confirmations - 1;
  }
  return undefined;
}
