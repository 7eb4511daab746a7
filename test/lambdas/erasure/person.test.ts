import { findPerson } from '../../../lambdas/erasure/person';
import { customer, stripeEvent } from '../../factories/stripe-objects';
import { useBillingDatabase } from '../../support/billing';

const { apply, client } = useBillingDatabase();

test('an address that another customer has in other letters is not of the person alone', async () => {
  for (const [id, email] of [
    ['cus_1', 'ann@example.com'],
    ['cus_2', 'Ann@Example.com'],
    ['cus_3', 'bob@example.com'],
  ]) {
    await apply(stripeEvent('customer.created', customer({ id, email })));
  }
  const emailsOf = async (id: string) => (await findPerson(client(), { customer: id }, async () => false)).emails;
  expect([await emailsOf('cus_1'), await emailsOf('cus_3')]).toEqual([[], ['bob@example.com']]);
});
