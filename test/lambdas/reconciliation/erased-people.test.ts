import { NO_DEFAULTS } from '../../../core/billing/owner';
import { storeStates } from '../../../core/billing/store-states';
import { runInOrder } from '../../../core/database/transaction';
import { plantTombstones, sweepBilling } from '../../../core/erasure/billing';
import { compare, type ListedObjects, readObjects } from '../../../lambdas/reconciliation/compare';
import { storedRows } from '../../../lambdas/reconciliation/records';
import { EPOCH } from '../../factories/stripe-objects';
import { placesOf, plantedPerson } from '../../factories/planted-person';
import { useBillingDatabase } from '../../support/billing';
import { erasuresOf } from '../../support/erasures';

describe('a person who was erased, and whom Stripe still has', () => {
  const { apply, client } = useBillingDatabase();
  const one = plantedPerson('one');
  const at = (type: string) => one.events.findLast((event) => event.type === type)?.data.object as { id: string };
  const page: ListedObjects = {
    customer: [at('customer.updated')],
    subscription: [at('customer.subscription.deleted')],
    invoice: [at('invoice.paid')],
    purchase: [at('checkout.session.completed')],
    payment_intent: [at('payment_intent.payment_failed')],
    charge: [at('charge.succeeded')],
    refund: [at('refund.created')],
    dispute: [at('charge.dispute.created')],
  };
  const objects = readObjects(page, EPOCH + 86_400, NO_DEFAULTS);

  test('differs in nothing that the erasure took, so that no run finds drift', async () => {
    await apply(...one.events);
    await plantTombstones(client(), erasuresOf(one));
    await sweepBilling(client());
    expect(objects.states).toHaveLength(8);
    expect(compare(objects, await storedRows(client(), objects.states)).findings).toEqual([]);
  });

  test('does not come back by what reconciliation stores', async () => {
    await plantTombstones(client(), erasuresOf(one));
    const { findings, corrections } = compare(objects, await storedRows(client(), objects.states));
    expect(findings.map(({ kind }) => kind)).toEqual(Array.from({ length: 8 }, () => 'missing_locally'));
    await storeStates(runInOrder(client()), corrections);
    expect(await placesOf(client(), one.marker)).toEqual([]);
    expect(compare(objects, await storedRows(client(), objects.states)).findings).toEqual([]);
  });
});
