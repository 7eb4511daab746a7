import type { RequestedSubject } from '../lambdas/erasure/contract';
import { assertExactlyOne } from './choices';
import { optional, text } from './values';

/** Options that say whom a command is about. */
export const SUBJECT_OPTIONS = {
  customer: optional(text('customer'), 'Id of a customer at Stripe, or tilled: and the id of one at Tilled'),
  user: optional(text('user'), 'Id of a user, as in the metadata at Stripe, with all customers of theirs'),
};

/** @throws CommandError `usage` unless exactly one is named */
export function subjectOf(options: { readonly customer: string | undefined; readonly user: string | undefined }): {
  readonly subject: RequestedSubject;
  readonly id: string;
} {
  const { customer, user } = options;
  assertExactlyOne({ '--customer': customer !== undefined, '--user': user !== undefined });
  return customer === undefined
    ? { subject: { user: user ?? '' }, id: user ?? '' }
    : { subject: { customer }, id: customer };
}
