import path from 'node:path';
import { EXAMPLES } from '../../support/example-environments';
import { identitiesOf } from './identity';
import { writeFormatted } from '../../support/write-formatted';

// Records the identity of everything that must not be replaced: what holds data, and the address that Stripe posts to. Run
// it only when something is added or a replacement is intended; of the latter, say in the commit how the data, or Stripe,
// gets to the new resource.
process.env.CDK_VALIDATION = 'false';

async function pin(environment: (typeof EXAMPLES)[number]): Promise<void> {
  const file = path.join(__dirname, 'pinned', `${environment}.json`);
  const json = JSON.stringify(identitiesOf(environment), undefined, 2);
  await writeFormatted(file, json);
}

void Promise.all(EXAMPLES.map(pin));
