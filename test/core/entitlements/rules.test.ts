import { entitlementRules } from '../../../core/entitlements/contract';

const plan = { id: 'pro', grants: { source: 'subscription', priceId: 'price_pro' }, features: ['pro'] };
const course = { id: 'course', grants: { source: 'purchase', kind: 'course' }, features: ['course:{item_id}'] };
const problemsOf = (rules: unknown) => entitlementRules.safeParse(rules).error?.issues.map(({ message }) => message);

test('rules of plans and of purchases are accepted, with seven days of grace and access until a dispute is lost by default', () => {
  expect(entitlementRules.parse([plan, course])).toEqual([
    { ...plan, grants: { ...plan.grants, graceDays: 7, onDispute: 'on_loss' } },
    { ...course, grants: { ...course.grants, onDispute: 'on_loss' } },
  ]);
});

test.each([
  [
    'a price and a product',
    [{ ...plan, grants: { ...plan.grants, productId: 'prod_pro' } }],
    'expected either priceId or productId',
  ],
  ['neither', [{ ...plan, grants: { source: 'subscription' } }], 'expected either priceId or productId'],
  [
    'an item in a plan',
    [{ ...plan, features: ['{item_id}'] }],
    '{item_id} stands for the item of a purchase; a subscription has none',
  ],
  ['a negative grace', [{ ...plan, grants: { ...plan.grants, graceDays: -1 } }], 'expected zero or more days'],
  ['no features', [{ ...plan, features: [] }], 'expected at least one feature'],
  ['the same name twice', [plan, { ...course, id: 'pro' }], 'expected the id of every rule to be unique'],
  [
    'an unknown kind',
    [{ ...course, grants: { source: 'purchase', kind: 'car' } }],
    'expected `course`, `path`, `coaching` or `other`',
  ],
  ['no list around them', {}, 'expected a list of rules'],
])('a set of rules with %s is rejected with the reason', (_, rules, reason) => {
  expect(problemsOf(rules)).toEqual([reason]);
});

test('a misspelt field is rejected instead of matching everything', () => {
  expect(problemsOf([{ ...plan, project: 'project_1' }])).toEqual([expect.stringContaining('project')]);
});
