import type { InspectionReport } from '../lambdas/inspect/contract';
import { counted, moment } from './print/units';

/** What to do about erasures that are not finished. */
export const OPEN_ERASURE_FIX = 'unless one runs, docs/erasure.md#when-it-is-half-done';

/** Says of erasures how many are not finished, and since when. */
export function describeOpen({ open, since }: NonNullable<InspectionReport<'status'>['erasures']>, now: Date): string {
  return `${counted(open, 'erasure')} not finished, begun ${moment(since, now)}`;
}
