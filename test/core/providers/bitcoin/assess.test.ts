import fc from 'fast-check';
import { assess, type PayingTransaction } from '../../../../core/providers/bitcoin/assess';

const EXPIRY = new Date('2026-11-29T12:00:00Z');
const moment = (minutes: number) => new Date(EXPIRY.getTime() + minutes * 60_000);

const transaction: fc.Arbitrary<PayingTransaction> = fc.record({
  amount: fc.integer({ min: 1, max: 150 }),
  state: fc.constantFrom('mempool', 'block', 'replaced', 'double_spent', 'dropped'),
  height: fc.integer({ min: 90, max: 100 }),
  arrivedAt: fc.integer({ min: -10, max: 10 }).map(moment),
});
const story = fc.record({
  payment: fc.record({
    amount: fc.integer({ min: 1, max: 200 }),
    confirmations: fc.integer({ min: 1, max: 8 }),
    expiresAt: fc.constant(EXPIRY),
  }),
  transactions: fc.array(transaction, { maxLength: 6 }),
  now: fc.integer({ min: -10, max: 10 }).map(moment),
});
const TIP = 100;
const sum = (all: readonly PayingTransaction[]) => all.reduce((total, { amount }) => total + amount, 0);

test('a payment is settled exactly when what arrived in time and has its confirmations is enough', () => {
  fc.assert(
    fc.property(story, ({ payment, transactions, now }) => {
      const deep = transactions.filter(
        ({ state, height, arrivedAt }) =>
          state === 'block' && TIP - (height ?? 0) + 1 >= payment.confirmations && arrivedAt <= EXPIRY,
      );
      expect(assess(payment, transactions, TIP, now).status === 'settled').toBe(sum(deep) >= payment.amount);
    }),
  );
});

test('the order in which transactions are known changes nothing, and blocks alone settle a confirmed one at the height it says', () => {
  fc.assert(
    fc.property(story, ({ payment, transactions, now }) => {
      const found = assess(payment, transactions, TIP, now);
      expect(assess(payment, transactions.toReversed(), TIP, now)).toEqual(found);
      expect(found.reviewHeight !== null).toBe(found.status === 'confirmed');
      if (found.reviewHeight === null) return;
      expect(assess(payment, transactions, found.reviewHeight, now).status).toBe('settled');
      expect(assess(payment, transactions, found.reviewHeight - 1, now).status).toBe('confirmed');
    }),
  );
});

test('a satoshi too little, a minute too late, or a coin that went elsewhere grants nothing', () => {
  const payment = { amount: 100, confirmations: 3, expiresAt: EXPIRY };
  const paid = { amount: 100, state: 'block', height: 98, arrivedAt: moment(-1) } as const;
  const status = (...transactions: PayingTransaction[]) => assess(payment, transactions, TIP, moment(5)).status;
  expect(status(paid)).toBe('settled');
  expect(status({ ...paid, height: 99 })).toBe('confirmed');
  expect(status({ ...paid, amount: 99 })).toBe('failed');
  expect(status({ ...paid, arrivedAt: moment(1) })).toBe('late');
  expect(status({ ...paid, state: 'double_spent' })).toBe('failed');
  expect(status()).toBe('expired');
  expect(assess(payment, [{ ...paid, state: 'dropped' }], TIP, moment(-1)).status).toBe('pending');
});
