import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { DEPLOYED_ENVIRONMENTS } from '../../../lib/config/environments';
import { identitiesOf } from './identity';

// Records the identity of everything that must not be replaced: what holds data, and the address that Stripe posts to. Run
// it only when a replacement is intended, and say in the commit how the data, or Stripe, gets to the new resource.
process.env.CDK_VALIDATION = 'false';
for (const environment of DEPLOYED_ENVIRONMENTS) {
  const file = path.join(__dirname, 'pinned', `${environment}.json`);
  writeFileSync(file, `${JSON.stringify(identitiesOf(environment), undefined, 2)}\n`);
}
