import type { SnapshotKind } from './requests';

/** How an operator ends an object here that Stripe does not have. */
export interface Ending {
  /** SQL over the columns of its table: it neither grants nor counts any more, whether or not Stripe has it. */
  readonly over: string;
  /** Fields of Stripe's object that end it. @param now seconds since 1970 */
  readonly fields: (now: number) => object;
}

/**
 * Kinds that grant, take away, count as revenue or raise an alarm, each with what ends that. Left out: customers and accounts,
 * which grant nothing, and refunds, whose ledger only grows.
 */
export const ENDINGS = {
  subscription: {
    over: `status IN ('canceled', 'incomplete_expired')`,
    fields: (now) => ({ status: 'canceled', canceled_at: now, ended_at: now }),
  },
  purchase: { over: `status = 'expired'`, fields: () => ({ status: 'expired', payment_status: 'unpaid' }) },
  invoice: { over: `status IN ('void', 'deleted')`, fields: () => ({ status: 'void' }) },
  invoice_payment: { over: `status <> 'paid'`, fields: () => ({ status: 'canceled' }) },
  payment_intent: { over: `status = 'canceled'`, fields: () => ({ status: 'canceled' }) },
  charge: { over: `status = 'failed'`, fields: () => ({ status: 'failed' }) },
  dispute: {
    over: `status = 'warning_closed'`,
    fields: () => ({ status: 'warning_closed', balance_transactions: [] }),
  },
  early_fraud_warning: { over: 'NOT actionable', fields: () => ({ actionable: false }) },
} as const satisfies Partial<Record<SnapshotKind, Ending>>;

/** Kinds of objects that an operator can end; see {@link ENDINGS}. */
export type EndableKind = keyof typeof ENDINGS;

export function isEndable(kind: string | undefined): kind is EndableKind {
  return kind !== undefined && Object.hasOwn(ENDINGS, kind);
}
