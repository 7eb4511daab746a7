import type { ClientBase } from 'pg';
import type Stripe from 'stripe';
import { NO_DEFAULTS } from '../../core/billing/owner';
import { storeStates } from '../../core/billing/store-states';
import { inTransaction } from '../../core/database/transaction';
import { pagesOf } from '../../core/providers/stripe/pages';
import { payoutState, RETRY_OF } from '../../core/providers/stripe/payout-states';
import { accountState } from '../../core/providers/stripe/party-states';
import { createPayout, listPayouts, type SnapshotKind } from '../../core/providers/stripe/requests';
import { readSnapshot, snapshotStates, type Snapshot } from '../../core/providers/stripe/snapshots';
import type { StripeWork } from '../../core/providers/stripe/stripe-function';
import { messageOf, OperationError } from '../../core/runtime/errors';
import { beginAttempt, keyOf, madeBefore, recordCreation, recordRefusal, type Attempt } from './attempts';
import type { PayoutsReport, PayoutsRequest } from './contract';

/** A payout as far as a report shows it. */
interface Payout {
  readonly id: string;
  readonly account: string | null;
  readonly status: string;
  /** In the smallest unit of the currency. */
  readonly amount: bigint;
  readonly currency: string;
  readonly arrivesAt: Date;
  readonly createdAt: Date;
}

/**
 * Pays an account the amount of a failed payout again: the bank returned it, and Stripe keeps it in the account's balance.
 * Both the payout and its account are read from Stripe first. However often it is called, and wherever it is killed, one
 * payout comes of it: the new payout names the failed one in its metadata and is looked for before another is made, whatever
 * the age of the request; and each attempt has an idempotency key, which Stripe keeps for 24 hours, for a request that is still
 * under way and that no list shows yet.
 *
 * @throws OperationError `payout_unknown`, `payout_not_failed`, `account_restricted`; `stripe_refused` with Stripe's reason,
 * after which another attempt may be made; `stripe_unavailable`, after which the same one is
 */
export async function retryPayout(
  work: StripeWork,
  { payout: id, by, dryRun }: Required<PayoutsRequest>,
): Promise<PayoutsReport> {
  const { client } = work;
  const before = await findPayout(client, id);
  const recorded = await madeBefore(client, id);
  if (recorded !== undefined) return report(before, dryRun, 'alreadyRetried', await findPayout(client, recorded));
  const found = await findRetry(work, before);
  if (found !== undefined) {
    if (!dryRun) await store(work, 'payout', found, id);
    return report(before, dryRun, 'alreadyRetried', payoutIn(found));
  }

  const failed = await readFailed(work, before, dryRun);
  if (failed.account !== null) await assertUnrestricted(work, failed.account, dryRun);
  if (dryRun) return report(failed, dryRun, 'wouldRetry', null);
  const made = await request(work, failed, await beginAttempt(client, id, by));
  await store(work, 'payout', made, id);
  return report(failed, dryRun, 'created', payoutIn(made));
}

async function findPayout(client: ClientBase, id: string): Promise<Payout> {
  const { rows } = await client.query<Omit<Payout, 'amount'> & { readonly amount: string }>(
    `SELECT id, account_id AS account, status, amount, currency, arrives_at AS "arrivesAt", created_at AS "createdAt"
     FROM billing.payouts WHERE id = $1`,
    [id],
  );
  const [row] = rows;
  if (row === undefined) {
    throw new OperationError('payout_unknown', `${id}: no event told of this payout; compare the id with Stripe's`);
  }
  return { ...row, amount: BigInt(row.amount) };
}

/**
 * The payout that repeats this one by what Stripe lists: an attempt may have been killed before it was recorded. One that was
 * canceled repeats nothing.
 */
async function findRetry(work: StripeWork, { id, account, createdAt }: Payout): Promise<Snapshot | undefined> {
  const created = { gte: Math.floor(createdAt.getTime() / 1000) };
  const pages = pagesOf(work.call, listPayouts(work.stripe, account), [{ created }], work.stop);
  for await (const { objects, requestedAtSeconds } of pages) {
    const object = objects.find(({ metadata, status }) => metadata?.[RETRY_OF] === id && status !== 'canceled');
    if (object !== undefined) return { object, requestedAtSeconds, account };
  }
  if (work.stop.aborted) throw new OperationError('stripe_unavailable', 'The time was up before Stripe had answered');
  return undefined;
}

/** The failed payout as Stripe has it now. */
async function readFailed(work: StripeWork, { id, account }: Payout, dryRun: boolean): Promise<Payout> {
  const snapshot = await readSnapshot(work, 'payout', id, account);
  if (snapshot === undefined) throw new OperationError('payout_unknown', `${id}: Stripe does not have this payout`);
  if (!dryRun) await store(work, 'payout', snapshot);
  const payout = payoutIn(snapshot);
  if (payout.status !== 'failed') {
    throw new OperationError('payout_not_failed', `${id} is ${payout.status}: only a failed payout is repeated`);
  }
  if (payout.amount <= 0n) {
    throw new OperationError('payout_not_failed', `${id} debits the bank account; only what is paid out is repeated`);
  }
  return payout;
}

function payoutIn({ object, account = null, requestedAtSeconds }: Snapshot): Payout {
  const { row } = payoutState(object, account, { moment: requestedAtSeconds, eventId: '' });
  return {
    id: row.id,
    account,
    status: row.status ?? '',
    amount: BigInt(row.amount ?? 0),
    currency: row.currency ?? '',
    arrivesAt: row.arrives_at as Date,
    createdAt: row.created_at as Date,
  };
}

async function assertUnrestricted(work: StripeWork, account: string, dryRun: boolean): Promise<void> {
  const snapshot = await readSnapshot(work, 'account', account);
  if (snapshot === undefined) {
    throw new OperationError('account_restricted', `${account} removed the platform, or does not exist any more`);
  }
  if (!dryRun) await store(work, 'account', snapshot);
  const { row, restricted } = accountState(snapshot.object, { moment: snapshot.requestedAtSeconds, eventId: '' });
  if (!restricted) return;
  const reasons = [row.disabled_reason, ...(row.requirements_due ?? [])].filter((reason) => reason !== null).join(', ');
  throw new OperationError(
    'account_restricted',
    `${account} is restricted${reasons === '' ? '' : ` (${reasons})`}: its owner has to give Stripe what is missing`,
  );
}

async function request(work: StripeWork, failed: Payout, attempt: Attempt): Promise<Snapshot> {
  const { id, account, amount, currency } = failed;
  const payout = { amount: Number(amount), currency, metadata: { [RETRY_OF]: id } };
  try {
    const { value, ...answer } = await work.call(() => createPayout(work.stripe, account, payout, keyOf(attempt)));
    return { ...answer, object: value, account };
  } catch (error) {
    // Only Stripe's own no ends the attempt. Of any other end, it is not known what came of it.
    if (error instanceof OperationError && error.code === 'stripe_refused') {
      await recordRefusal(work.client, attempt, messageOf(error));
    }
    throw error;
  }
}

/** @param retried the failed payout that the object repeats. @default none */
async function store(work: StripeWork, kind: SnapshotKind, snapshot: Snapshot, retried?: string): Promise<void> {
  const states = snapshotStates(kind, snapshot, work.apply.defaults ?? NO_DEFAULTS);
  await inTransaction(work.client, async (run) => {
    await storeStates(run, states, { afterStore: work.apply.afterStore });
    if (retried !== undefined) await recordCreation(run, retried, (snapshot.object as Stripe.Payout).id);
  });
}

function report(
  { id: payout, account, amount, currency }: Payout,
  dryRun: boolean,
  outcome: PayoutsReport['outcome'],
  made: Payout | null,
): PayoutsReport {
  const newPayout = made && { id: made.id, status: made.status, arrivesAt: made.arrivesAt.toISOString() };
  return { payout, account, amount: String(amount), currency, dryRun, outcome, newPayout };
}
