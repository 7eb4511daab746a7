import { readFileSync } from 'node:fs';
import path from 'node:path';
import { EXAMPLES } from '../../support/example-environments';
import { identitiesOf, type Identities } from './identity';

const WHAT_TO_DO = `
CloudFormation would put a new, empty resource in place of one that holds data or is the address that Stripe posts to, or
leave one behind. If that is not intended, give the resource its former logical id (\`overrideLogicalId\`) or its former
property. If it is intended, first say in the commit how the data gets there – a restore, a snapshot, an import of the
existing resource – or how Stripe learns the new URL, rehearse it in dev, and record the new identity:
npx tsx test/lib/stacks/pin-identities.ts`;

/** One line for each difference, beginning with the resource. */
function differences(pinned: Identities, found: Identities): string[] {
  const flat = (identities: Identities) =>
    new Map(
      Object.entries(identities).flatMap(([stack, resources]) =>
        Object.entries(resources).map(([id, identity]) => [`${stack}: ${id}`, JSON.stringify(identity)] as const),
      ),
    );
  const [before, after] = [flat(pinned), flat(found)];
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((name) => before.get(name) !== after.get(name))
    .map((name) => `${name} was ${before.get(name) ?? 'not there'}, is ${after.get(name) ?? 'not there'}`);
}

test.each(EXAMPLES)(
  'the next deployment of %s replaces nothing that holds data, nor the address that Stripe posts to',
  (environment) => {
    const file = path.join(__dirname, 'pinned', `${environment}.json`);
    const pinned = JSON.parse(readFileSync(file, 'utf8')) as Identities;
    const changed = differences(pinned, identitiesOf(environment));
    expect(changed.length > 0 ? `${changed.join('\n')}\n${WHAT_TO_DO}` : '').toBe('');
  },
);

test('a changed property of an instance is reported with its former and its new value', () => {
  const pinned = identitiesOf('dev');
  const moved = structuredClone(pinned) as Record<string, Record<string, { properties: Record<string, unknown> }>>;
  const instance = moved.data?.BillingDatabaseInstance8058E8CA;
  if (!instance) throw new Error('The billing instance is not pinned');
  instance.properties.DBName = 'other';
  expect(differences(pinned, moved as Identities)).toEqual([
    expect.stringMatching(/^data: BillingDatabaseInstance8058E8CA was .*"DBName":"billing".*, is .*"DBName":"other"/),
  ]);
});
