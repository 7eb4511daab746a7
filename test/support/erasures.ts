import type { PlantedPerson } from '../factories/planted-person';
import { ErasureKey } from '../../core/erasure/key';
import type { Erasures } from '../../core/erasure/ledger';
import type { ErasureReplay } from '../../core/erasure/replay';

/** Key of the ledger in tests. */
export const ERASURE_KEY = new ErasureKey('k'.repeat(64));

/** An empty ledger. */
export const noErasures: ErasureReplay = {
  ledger: { read: async () => ({ key: ERASURE_KEY, entries: [] }) },
  hooks: [],
};

/** A ledger in which one person is, erased on 29 November 2026. */
export function erasuresOf({ customerId, userId, marker }: PlantedPerson): Erasures {
  const subjects = [
    ERASURE_KEY.subject('customer', customerId),
    ERASURE_KEY.subject('user', userId),
    ERASURE_KEY.subject('email', `${marker}@example.com`),
  ];
  const erasedAt = '2026-11-29T12:00:00.000Z';
  const entry = { format: 'billing-operations-erasure', version: 1, id: '20261129T120000000Z-00000001' } as const;
  return { key: ERASURE_KEY, entries: [{ ...entry, erasedAt, subjects }] };
}
