import { PutObjectCommand, S3ServiceException } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import { keyToSlot, normaliseSlot, slotToKey } from '../../core/archive/slot';
import {
  type ArchiveStore,
  jsonDocument,
  jsonText,
  listObjects,
  readText,
  unavailable,
} from '../../core/archive/store';
import { OperationError } from '../../core/runtime/errors';
import { AUDIT_PREFIX, AUDIT_RETENTION_DAYS, type AuditReport, type CheckedAuditRequest } from './contract';

export interface AuditDependencies {
  readonly store: ArchiveStore;
  readonly clock: () => Date;
}

type Request<Action extends CheckedAuditRequest['action']> = Extract<CheckedAuditRequest, { readonly action: Action }>;
type List = Extract<AuditReport, { readonly action: 'list' }>;

const DAY_MS = 86_400_000;
const PRECONDITION_FAILED = 412;
/** Records that are read at the same time. */
const CONCURRENCY = 16;

const begunRecord = z.object({ begunAt: z.string(), who: z.string(), command: z.string() });
const finishedRecord = z.object({ finishedAt: z.string(), result: z.string(), message: z.string().nullable() });

/**
 * Records the beginning or the end of an action, or lists actions. Each record is an object of its own that can be neither
 * changed nor deleted for a year; it needs no database, which may be what the action repairs.
 *
 * @throws OperationError `store_unavailable` (retryable); `action_recorded` when the end of an action is recorded already
 */
export async function audit(dependencies: AuditDependencies, request: CheckedAuditRequest): Promise<AuditReport> {
  switch (request.action) {
    case 'begin':
      return begin(dependencies, request);
    case 'finish':
      return finish(dependencies, request);
    default:
      return list(dependencies, request);
  }
}

async function begin({ store, clock }: AuditDependencies, { who, command }: Request<'begin'>): Promise<AuditReport> {
  const at = clock();
  const id = `${slotToKey(normaliseSlot(at))}-${randomBytes(4).toString('hex')}`;
  await write(store, `${folderOf(id)}begin.json`, { begunAt: at.toISOString(), who, command }, at);
  return { action: 'begin', id };
}

async function finish(
  { store, clock }: AuditDependencies,
  { id, result, message }: Request<'finish'>,
): Promise<AuditReport> {
  const at = clock();
  await write(
    store,
    `${folderOf(id)}finish.json`,
    { finishedAt: at.toISOString(), result, message: message ?? null },
    at,
  );
  return { action: 'finish', id };
}

/** `audit/2026/11/21/20261121T061500Z-1f0c9a3e/` */
function folderOf(id: string): string {
  return `${AUDIT_PREFIX}${id.slice(0, 4)}/${id.slice(4, 6)}/${id.slice(6, 8)}/${id}/`;
}

async function write(store: ArchiveStore, key: string, record: object, at: Date): Promise<void> {
  try {
    await store.s3.send(
      new PutObjectCommand({
        ...jsonDocument(store, key, jsonText(record)),
        ObjectLockMode: 'GOVERNANCE',
        ObjectLockRetainUntilDate: new Date(at.getTime() + AUDIT_RETENTION_DAYS * DAY_MS),
        IfNoneMatch: '*',
      }),
    );
  } catch (cause) {
    if (cause instanceof S3ServiceException && cause.$metadata.httpStatusCode === PRECONDITION_FAILED) {
      throw new OperationError(
        'action_recorded',
        `The record ${key} exists, and records are never changed; ops audit shows it`,
        { cause },
      );
    }
    throw unavailable(`write ${key}`, cause);
  }
}

async function list({ store, clock }: AuditDependencies, { days, until, limit }: Request<'list'>): Promise<List> {
  const actions: List['actions'] = [];
  const end = until === undefined ? clock() : new Date(until);
  for (let day = 0; day < days && actions.length < limit; day += 1) {
    const date = new Date(end.getTime() - day * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '/');
    const ids = new Set<string>();
    for await (const { Key: key = '' } of listObjects(store, `${AUDIT_PREFIX}${date}/`)) {
      const id = key.split('/').at(-2);
      const second = id === undefined ? undefined : keyToSlot(id.slice(0, 16));
      if (id !== undefined && second !== undefined && (until === undefined || new Date(second) < end)) ids.add(id);
    }
    const wanted = [...ids]
      .toSorted()
      .toReversed()
      .slice(0, limit - actions.length);
    for (let start = 0; start < wanted.length; start += CONCURRENCY) {
      const batch = wanted.slice(start, start + CONCURRENCY);
      actions.push(...(await Promise.all(batch.map((id) => read(store, id)))));
    }
  }
  // Ids of one second are in no order.
  return { action: 'list', actions: actions.toSorted((a, b) => (a.begunAt < b.begunAt ? 1 : -1)) };
}

async function read(store: ArchiveStore, id: string): Promise<List['actions'][number]> {
  const [begun, finished] = await Promise.all(
    ['begin', 'finish'].map((part) => readText(store, `${folderOf(id)}${part}.json`)),
  );
  const { begunAt, who, command } = begunRecord.parse(JSON.parse(begun ?? '{}'));
  const end = finished === undefined ? undefined : finishedRecord.parse(JSON.parse(finished));
  return {
    id,
    begunAt,
    who,
    command,
    finishedAt: end?.finishedAt ?? null,
    result: (end?.result ?? null) as List['actions'][number]['result'],
    message: end?.message ?? null,
  };
}
