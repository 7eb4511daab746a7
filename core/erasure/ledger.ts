import { randomBytes, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import { type ArchiveStore, listObjects, listVersions, readText, writeLocked } from '../archive/store';
import { messageOf, OperationError } from '../runtime/errors';
import { runConcurrently } from '../runtime/run-concurrently';
import type { Secrets } from '../runtime/secrets';
import { ERASURE_LEDGER_DAYS, ERASURE_PREFIX } from './contract';
import { ErasureKey, erasureSecret, type Subject } from './key';

const DAY_MS = 86_400_000;
const CONCURRENT_READS = 16;

const entrySchema = z.strictObject({
  format: z.literal('billing-operations-erasure'),
  version: z.literal(1),
  id: z.string(),
  erasedAt: z.iso.datetime(),
  subjects: z.array(
    z.strictObject({ kind: z.enum(['customer', 'user', 'email']), digest: z.string().regex(/^[0-9a-f]{64}$/) }),
  ),
});

/** One erasure: who, as digests, and when. */
export type LedgerEntry = z.infer<typeof entrySchema>;

/** Every erasure, the oldest first, and the key that people are hashed under. */
export interface Erasures {
  readonly key: ErasureKey;
  readonly entries: readonly LedgerEntry[];
}

/**
 * The record, outside the databases, of who was erased: after a restore of any of them, it says who has to be erased again.
 * Entries are only added, and locked for {@link ERASURE_LEDGER_DAYS}.
 */
export interface ErasureLedger {
  /** @throws OperationError `erasure_ledger_unreadable` (retryable) when Secrets Manager does not give the key */
  key(): Promise<ErasureKey>;
  /** @throws OperationError `store_unavailable`, `erasure_ledger_unreadable` (both retryable) */
  append(subjects: readonly Subject[], erasedAt: Date): Promise<LedgerEntry>;
  /** @throws OperationError `erasure_ledger_unreadable` (retryable): a restore must stop then */
  read(): Promise<Erasures>;
}

/** Opens the ledger in the archive bucket. The key is read when it is needed. */
export function openErasureLedger(
  store: ArchiveStore,
  secrets: Secrets,
  { ERASURE_KEY_SECRET_ARN: arn }: { readonly ERASURE_KEY_SECRET_ARN: string },
): ErasureLedger {
  const key = async () => {
    try {
      return new ErasureKey((await secrets.read(arn, erasureSecret)).key);
    } catch (cause) {
      throw unreadable(`its key: ${messageOf(cause)}`, cause);
    }
  };
  return {
    key,
    append: async (subjects, erasedAt) => appendEntry(store, await key(), subjects, erasedAt),
    read: async () => {
      const opened = await key();
      return { key: opened, entries: await readEntries(store, opened) };
    },
  };
}

async function appendEntry(
  store: ArchiveStore,
  key: ErasureKey,
  subjects: readonly Subject[],
  erasedAt: Date,
): Promise<LedgerEntry> {
  const id = `${erasedAt.toISOString().replaceAll(/[-:.]/g, '')}-${randomBytes(4).toString('hex')}`;
  const entry: LedgerEntry = {
    format: 'billing-operations-erasure',
    version: 1,
    id,
    erasedAt: erasedAt.toISOString(),
    subjects: [...subjects],
  };
  const document = JSON.stringify(entry);
  const body = Buffer.from(JSON.stringify({ document, mac: key.hmac(document).toString('hex') }));
  const retainUntil = new Date(erasedAt.getTime() + ERASURE_LEDGER_DAYS * DAY_MS);
  await writeLocked(store, { key: `${ERASURE_PREFIX}${id}.json`, body, contentType: 'application/json' }, retainUntil);
  return entry;
}

async function readEntries(store: ArchiveStore, key: ErasureKey): Promise<readonly LedgerEntry[]> {
  try {
    // By version, so that a delete marker hides no entry.
    const versions: Map<string, readonly (string | undefined)[]> = await listVersions(store, ERASURE_PREFIX);
    for await (const { Key } of listObjects(store, ERASURE_PREFIX)) {
      if (Key !== undefined && !versions.has(Key)) versions.set(Key, [undefined]);
    }
    const entries: LedgerEntry[] = [];
    await runConcurrently([...versions], Array.from({ length: CONCURRENT_READS }), async ([name, ofEntry]) => {
      entries.push(await readEntry(store, name, ofEntry, key));
    });
    return entries.toSorted((a, b) => a.id.localeCompare(b.id));
  } catch (cause) {
    throw unreadable(messageOf(cause), cause);
  }
}

/** The newest version that is an entry: an object that was written over it does not take it away. */
async function readEntry(
  store: ArchiveStore,
  name: string,
  versions: readonly (string | undefined)[],
  key: ErasureKey,
): Promise<LedgerEntry> {
  let failure: unknown;
  for (const version of versions) {
    // A version that cannot be read now may be the entry: only what was read, and is none, is passed over.
    const text = await readText(store, name, version);
    try {
      return parseEntry(name, text ?? '', key);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

const envelope = z.strictObject({ document: z.string(), mac: z.string().regex(/^[0-9a-f]{64}$/) });

/** Takes only entries that this environment wrote: any other would erase a person whom no operator named. */
function parseEntry(name: string, text: string, key: ErasureKey): LedgerEntry {
  const { document, mac } = envelope.parse(JSON.parse(text));
  if (!timingSafeEqual(key.hmac(document), Buffer.from(mac, 'hex'))) {
    throw new Error(`entry ${name} was not written under the present key: put the former value of its secret back`);
  }
  return entrySchema.parse(JSON.parse(document));
}

function unreadable(why: string, cause: unknown): OperationError {
  if (cause instanceof OperationError && cause.code === 'erasure_ledger_unreadable') return cause;
  return new OperationError(
    'erasure_ledger_unreadable',
    `The ledger of erasures cannot be read, so people who were erased might come back; nothing is handed over. Cause: ${why}`,
    { cause },
  );
}
