import type { REFRESH_COLUMNS, RowOf } from './columns';
import type { ObjectState } from './object-state';
import type { NewestState } from './ties';

type RefreshRow = RowOf<typeof REFRESH_COLUMNS>;

/**
 * Objects of which events alone do not say how they are now: they have to be read from the provider again. Each once.
 *
 * @param stored states that were stored
 */
export function refreshRequests(stored: readonly NewestState[]): RefreshRow[] {
  const rows = new Map<string, RefreshRow>();
  for (const { state, decided } of stored) {
    const reason = decided ? reasonIn(state) : 'undecided_tie';
    if (reason === undefined) continue;
    // A restriction is no object of the provider's: its account is.
    const [object_kind, object_id] =
      state.kind === 'account_restriction' ? ['account', state.row.account_id] : [state.kind, state.row.id];
    rows.set(`${object_kind} ${object_id}`, { object_id, object_kind, account: null, reason });
  }
  return [...rows.values()];
}

/** Why an object has to be read again although it is known which of its states is the newest; `undefined` for no reason. */
function reasonIn(state: ObjectState): string | undefined {
  switch (state.kind) {
    case 'subscription':
      return state.partialItems ? 'partial_items' : undefined;
    case 'invoice':
      return state.partialLines ? 'partial_lines' : undefined;
    case 'account_restriction':
      return state.accountUnknown ? 'account_changed' : undefined;
    default:
      return undefined;
  }
}
