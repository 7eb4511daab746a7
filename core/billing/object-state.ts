import type { ObjectKind, ObjectRow, RefundEntryRow, SubscriptionItemRow } from './columns';

/** The state of one object, ready to be stored if it is newer than the stored one. */
export type ObjectState = StateOfKind & {
  /**
   * Former values of the fields that the event says it changed, nested as in the object; null when it says that the object
   * was made. They order the events of one second; see ties.ts. @default the event does not say
   */
  readonly before?: Readonly<Record<string, unknown>> | null;
};

type StateOfKind =
  | {
      readonly kind: 'subscription';
      readonly row: ObjectRow<'subscription'>;
      readonly items: readonly SubscriptionItemRow[];
      /** `items` is cut off: an item that it lacks may be beyond its end. A refresh reads the whole list. */
      readonly partialItems: boolean;
    }
  | {
      readonly kind: 'charge';
      readonly row: ObjectRow<'charge'>;
      /** What the charge reports as refunded in total; zero when nothing is. */
      readonly refundedTotal: number;
      readonly currency: string;
    }
  | { readonly kind: 'refund'; readonly row: ObjectRow<'refund'>; readonly entries: readonly RefundEntryRow[] }
  | { readonly kind: 'account'; readonly row: ObjectRow<'account'>; readonly restricted: boolean }
  | {
      readonly kind: 'account_restriction';
      readonly row: ObjectRow<'account_restriction'>;
      /** The account has to be read again: what else changed in it, the event does not say. @default false */
      readonly accountUnknown?: boolean;
    }
  | {
      readonly kind: 'invoice';
      readonly row: ObjectRow<'invoice'>;
      /** The object carries only the first of its lines. A refresh reads all of them. @default false */
      readonly partialLines?: boolean;
    }
  | RowOnly<
      | 'purchase'
      | 'payment_intent'
      | 'customer'
      | 'invoice_payment'
      | 'dispute'
      | 'early_fraud_warning'
      | 'payout'
      | 'transfer'
    >;

/** Kinds whose state is their row and nothing else. */
type RowOnly<Kinds extends ObjectKind> = {
  [Kind in Kinds]: { readonly kind: Kind; readonly row: ObjectRow<Kind> };
}[Kinds];

/** The state of an object of one kind. */
export type StateOf<Kind extends ObjectKind> = Extract<ObjectState, { kind: Kind }>;
