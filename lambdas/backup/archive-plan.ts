import * as z from 'zod';
import type { SourceTable } from '../../core/archive/catalog';
import { planKey } from '../../core/archive/keys';
import { readSignedDocument, writeSignedDocument } from '../../core/archive/signed-document';
import type { SignedStore } from '../../core/archive/signed-manifest';
import type { Slot } from '../../core/archive/slot';
import type { DatabaseName } from '../../core/contract';
import { OperationError } from '../../core/runtime/errors';
import type { Attempt, Description } from './archive-content';
import { type PlannedPart, planParts } from './parts';

/** What the calls that archive a still database, one after the other and in parallel, have to agree on. */
export interface ArchivePlan {
  readonly startedAt: string;
  readonly retainUntil: string;
  /** What the database looked like: see `observeStillness`. */
  readonly fingerprint: string;
  /** Bytes of table of one part. */
  readonly partBytes: number;
  readonly tables: readonly SourceTable[];
  readonly largeObjects: readonly SourceTable[];
  readonly description: Description;
}

/** A field whose form is that of the code that wrote and signed it, minutes or hours ago. */
const field = <Value>() => z.custom<Value>((value) => value !== undefined);
const planSchema = z.strictObject({
  startedAt: z.iso.datetime(),
  retainUntil: z.iso.datetime(),
  fingerprint: z.string(),
  partBytes: z.number(),
  tables: field<SourceTable[]>(),
  largeObjects: field<SourceTable[]>(),
  description: field<Description>(),
});

/** @throws OperationError `store_unavailable`, `signing_key_unavailable` (both retryable) */
export function writePlan(store: SignedStore, { database, slot, attempt }: Attempt, plan: ArchivePlan): Promise<void> {
  return writeSignedDocument(store, planKey(database, slot, attempt), plan, new Date(plan.retainUntil));
}

/**
 * Reads the plan of an attempt, and what follows from it: the attempt, and its parts in the order of the plan.
 *
 * @throws OperationError `archive_not_found` when the attempt has none, `archive_unauthenticated`; and, retryable,
 * `store_unavailable`, `signing_key_unavailable`
 */
export async function readPlan(
  store: SignedStore,
  { database, slot, attempt }: { readonly database: DatabaseName; readonly slot: Slot; readonly attempt: string },
): Promise<ArchivePlan & { readonly attempt: Attempt; readonly planned: readonly PlannedPart[] }> {
  const key = planKey(database, slot, attempt);
  const plan = await readSignedDocument(store, key, planSchema);
  if (!plan) {
    throw new OperationError(
      'archive_not_found',
      `There is no plan ${key}: it was never written, or removed as the leftover of an attempt that had stopped; start the backup again`,
    );
  }
  const { tables, largeObjects, partBytes } = plan;
  return {
    ...plan,
    attempt: { database, slot, attempt, retainUntil: new Date(plan.retainUntil) },
    planned: planParts({ database, slot, attempt }, [...tables, ...largeObjects], partBytes),
  };
}
