import { FoundCards } from '../../../lambdas/maintenance/cards/found-cards';

const place = (source: string, row: number, column = 'note') => ({ source, column, row: String(row) });

test('all findings are counted, and the first thousand of each table are kept', () => {
  const found = new FoundCards<string>();
  for (let row = 0; row < 50_000; row += 1) found.add(place('large', row), false, `large ${row}`);
  for (let row = 0; row < 3; row += 1) {
    found.add(place('small', row), false, `small ${row}`);
    found.add(place('small', row), false, 'the same row again');
  }
  expect(found.values()).toHaveLength(1_003);
  expect(found.values().slice(-3)).toEqual(['small 0', 'small 1', 'small 2']);
  expect([found.further, found.countOf('large'), found.countOf('small')]).toEqual([49_000, 50_000, 3]);
});

test('bare numbers are kept by the column, and a column of ids has no findings', () => {
  const found = new FoundCards<string>();
  for (let row = 0; row < 5_000; row += 1) {
    found.add(place('orders', row, 'number'), true, 'id');
    found.fail({ source: 'orders', column: 'number' }, 9);
    found.add(place('orders', row, 'card'), true, 'card');
  }
  expect(new Set(found.values())).toEqual(new Set(['card']));
  expect([found.values().length, found.further, found.countOf('orders'), found.ids]).toEqual([
    1_000, 4_000, 5_000, 5_000,
  ]);
});
