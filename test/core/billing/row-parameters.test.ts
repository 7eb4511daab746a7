import type { ObjectRow, RowOf } from '../../../core/billing/columns';
import { rowParameters } from '../../../core/billing/row-parameters';
import { REPLACE_SUBSCRIPTION_ITEMS, type RowsStatement } from '../../../core/billing/statements';
import { subscriptionState } from '../../../core/providers/stripe/subscription-states';
import { subscription } from '../../factories/stripe-objects';

const COLUMNS = { id: 'text', total: 'bigint', paid_at: 'timestamptz', tags: 'text[]' } as const;
type Example = RowOf<typeof COLUMNS>;
const STATEMENT: RowsStatement<typeof COLUMNS> = { name: 'example', text: 'SELECT', columns: COLUMNS };
const ROW: Example = { id: 'a', total: 1, paid_at: null, tags: [] };

test('a row that does not fit its table does not compile', () => {
  // Checked by `tsc`, to which a directive without an error below it is an error itself.
  const rows: readonly Example[] = [
    // @ts-expect-error a column that is left out
    { id: 'a', total: 1, paid_at: null },
    // @ts-expect-error a column that is misspelt
    { id: 'a', totl: 1, paid_at: null, tags: [] },
    // @ts-expect-error a column that the table does not have
    { ...ROW, note: 'x' },
    // @ts-expect-error a value of another type
    { ...ROW, paid_at: 1_700_000_000 },
  ];
  // @ts-expect-error a column of another kind of object
  const ofOtherKind = (row: ObjectRow<'charge'>): ObjectRow<'charge'> => ({ ...row, attempt_count: 1 });
  expect([...rows, ofOtherKind]).toHaveLength(5);
});

test('a row is sent as one array for each column', () => {
  expect(rowParameters(STATEMENT, [ROW])).toHaveLength(Object.keys(COLUMNS).length);
});

test.each(Object.keys(COLUMNS))('a row without %s is refused, naming the statement and the column', (column) => {
  const { [column as 'id']: _left, ...row } = ROW;

  expect(() => rowParameters(STATEMENT, [row as Example])).toThrow(
    new TypeError(`example: a row has no ${column}; give it a value or null`),
  );
});

test('a misspelt column of an untyped row is refused instead of being NULL in every row', () => {
  const state = subscriptionState(subscription(), { moment: 1, eventId: 'evt_1' });
  const items = state.items.map(({ price_id, ...item }) => ({ ...item, price: price_id }));

  expect(() => rowParameters(REPLACE_SUBSCRIPTION_ITEMS, items as never)).toThrow('a row has no price_id');
});
