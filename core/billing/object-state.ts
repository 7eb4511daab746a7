import type * as z from 'zod';
import { InvalidRequestError } from '../runtime/errors';
import type { StateOrigin } from './version';

/** Rows as the statements take them: column names, times as dates, money in the currency's smallest unit. */
export type Row = { readonly id: string; readonly version: string; readonly customer_id: string | null } & Record<
  string,
  unknown
>;

export interface SubscriptionItemRow extends Record<string, unknown> {
  readonly id: string;
  readonly subscription_id: string;
}

/** One object's state, ready to be stored if it is newer than what is there. */
export type ObjectState =
  | {
      readonly kind: 'subscription';
      readonly row: Row;
      readonly items: readonly SubscriptionItemRow[];
      /** There are more items than these. The others are not gone; reconciliation, which reads the whole list, has them. */
      readonly partialItems: boolean;
    }
  | { readonly kind: 'charge'; readonly row: Row; readonly refundedTotal: number; readonly currency: string }
  | { readonly kind: 'refund'; readonly row: Row; readonly entries: readonly LedgerEntry[] }
  | { readonly kind: 'account'; readonly row: Row; readonly restricted: boolean }
  | { readonly kind: 'invoice' | 'purchase' | 'payment_intent' | 'customer'; readonly row: Row };

/** A fact of the refund ledger. The same fact has the same `entry`, whichever event it comes from. */
export interface LedgerEntry {
  readonly entry: string;
  readonly kind: 'refunded' | 'returned' | 'reported';
  readonly charge_id: string | null;
  readonly refund_id: string | null;
  /** What the charge reported as refunded in total; only of kind `reported`. */
  readonly refunded_total: number | null;
  /** Positive when refunded, negative when returned; not of kind `reported`. */
  readonly amount: number | null;
  readonly currency: string;
}

/** Who objects belong to whose metadata does not say. */
export interface StateDefaults {
  readonly appId: string | null;
  readonly projectId: string | null;
}

export const NO_DEFAULTS: StateDefaults = { appId: null, projectId: null };

/** The defaults that two settings name; empty means none. */
export function stateDefaults(environment: { DEFAULT_APP_ID: string; DEFAULT_PROJECT_ID: string }): StateDefaults {
  return { appId: environment.DEFAULT_APP_ID || null, projectId: environment.DEFAULT_PROJECT_ID || null };
}

type Metadata = Readonly<Record<string, string>> | null | undefined;

/**
 * Who an object belongs to, as the application wrote it into the metadata. The first metadata that names an app, a
 * project or a user counts.
 */
export function owner(metadata: readonly Metadata[], defaults: StateDefaults, fallbackUser?: string | null) {
  const first = (key: string) => metadata.find((candidate) => candidate?.[key])?.[key];
  return {
    app_id: first('app_id') ?? defaults.appId,
    project_id: first('project_id') ?? defaults.projectId,
    user_id: first('user_id') ?? fallbackUser ?? null,
  };
}

/**
 * Seconds since 1970 as a row holds them.
 *
 * @throws InvalidRequestError when it is no time of the calendar
 */
export function time(seconds: number | null | undefined): Date | null {
  if (seconds == null) return null;
  const moment = new Date(seconds * 1000);
  if (Number.isNaN(moment.getTime()))
    throw new InvalidRequestError(`${seconds}: expected a time in seconds since 1970`);
  return moment;
}

/** @throws InvalidRequestError naming up to five fields that are not as Stripe documents them */
export function parse<Schema extends z.ZodType>(schema: Schema, object: unknown, name: string): z.infer<Schema> {
  const result = schema.safeParse(object);
  if (result.success) return result.data;
  const fields = result.error.issues.map((issue) => `${[name, ...issue.path].join('.')}: ${issue.message}`);
  throw new InvalidRequestError(fields.slice(0, 5).join('; '));
}

/** A snapshot and a creation rank below every other event of their second; an unknown status ranks above the known ones. */
export function rankOf(order: readonly string[], status: string | null, origin: StateOrigin): number {
  if (origin.eventId === '' || origin.creation) return 0;
  const position = status === null ? -1 : order.indexOf(status);
  return position === -1 ? order.length + 1 : position + 1;
}
