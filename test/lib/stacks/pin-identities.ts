import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { format, resolveConfig } from 'prettier';
import { EXAMPLES } from '../../support/example-environments';
import { identitiesOf } from './identity';

// Records the identity of everything that must not be replaced: what holds data, and the address that Stripe posts to. Run
// it only when something is added or a replacement is intended; of the latter, say in the commit how the data, or Stripe,
// gets to the new resource.
process.env.CDK_VALIDATION = 'false';

async function pin(environment: (typeof EXAMPLES)[number]): Promise<void> {
  const file = path.join(__dirname, 'pinned', `${environment}.json`);
  const json = JSON.stringify(identitiesOf(environment), undefined, 2);
  writeFileSync(file, await format(json, { ...(await resolveConfig(file)), filepath: file }));
}

void Promise.all(EXAMPLES.map(pin));
