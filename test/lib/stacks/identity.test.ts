import { readFileSync } from 'node:fs';
import path from 'node:path';
import { DEPLOYED_ENVIRONMENTS } from '../../../lib/config/environments';
import { identitiesOf, type Identities } from './identity';

const WHAT_TO_DO = `
CloudFormation would put a new, empty resource in place of one that holds data, or leave one behind. If that is not meant,
give the resource its former logical id (\`overrideLogicalId\`) or its former property. If it is meant, first say in the
change how the data gets there – a restore, a snapshot, an import of the existing resource –, rehearse it in dev, and
record the new identity: npx tsx test/lib/stacks/pin-identities.ts`;

/** One line for each difference, by the resource that it is of. */
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

test.each(DEPLOYED_ENVIRONMENTS)('%s replaces nothing that holds data', (environment) => {
  const file = path.join(__dirname, 'pinned', `${environment}.json`);
  const pinned = JSON.parse(readFileSync(file, 'utf8')) as Identities;
  const changed = differences(pinned, identitiesOf(environment));
  expect(changed.length > 0 ? `${changed.join('\n')}\n${WHAT_TO_DO}` : '').toBe('');
});

test('a change of what an instance is made from is named with what to do', () => {
  const pinned = identitiesOf('dev');
  const moved = structuredClone(pinned) as Record<string, Record<string, { properties: Record<string, unknown> }>>;
  const instance = moved.data?.BillingDatabaseInstance8058E8CA;
  if (!instance) throw new Error('The billing instance is not among what is pinned');
  instance.properties.DBName = 'other';
  expect(differences(pinned, moved as Identities)).toEqual([
    expect.stringMatching(/^data: BillingDatabaseInstance8058E8CA was .*"DBName":"billing".*, is .*"DBName":"other"/),
  ]);
});
