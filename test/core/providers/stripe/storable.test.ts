import fc from 'fast-check';
import { toStorable } from '../../../../core/providers/stripe/storable';

const NAMES =
  'object type card last4 exp_month brand number id __proto__ client_secret payment_method_details destination_details source';

/** Objects in which what is reduced, dropped or left alone is likely, at any depth. */
const { object } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('card', 'bank_account', 'payment_method', 'source', 'visa', '4242', null, 12, true),
    tie('object'),
    fc.array(tie('value'), { maxLength: 3 }),
  ),
  object: fc.dictionary(fc.constantFrom(...NAMES.split(' ')), tie('value'), { maxKeys: 5 }),
}));

function nested(depth: number): string {
  return `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
}

test('an object whose JSON is at hand is stored as one that has to be looked at text by text', () => {
  fc.assert(
    fc.property(object, (given) => {
      const json = JSON.stringify({ object: 'event', data: given });
      expect(JSON.stringify(toStorable(JSON.parse(json), json))).toBe(JSON.stringify(toStorable(JSON.parse(json))));
    }),
    { numRuns: 2_000 },
  );
});

test('an event of which nothing has to be changed is itself what is stored', () => {
  const json = '{"object":"event","data":{"object":{"object":"invoice","card":["card"],"total":1}}}';
  const event: unknown = JSON.parse(json);
  expect(toStorable(event, json)).toBe(event);
});

test('a number that JavaScript does not hold is stored as null, and 62 levels are refused', () => {
  const endless = '{"data":{"amount":1e999}}';
  expect(toStorable(JSON.parse(endless), endless)).toEqual({ data: { amount: null } });
  expect(toStorable(JSON.parse(nested(61)), nested(61))).toEqual(JSON.parse(nested(61)));
  expect(() => toStorable(JSON.parse(nested(62)), nested(62))).toThrow('nested deeper than 60 levels');
});
