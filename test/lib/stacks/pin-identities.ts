import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { DEPLOYED_ENVIRONMENTS } from '../../../lib/config/environments';
import { identitiesOf } from './identity';

// Records what holds data, and what makes it the resource that it is. Run it only when a replacement is meant, and say in
// the change how the data gets there.
process.env.CDK_VALIDATION = 'false';
for (const environment of DEPLOYED_ENVIRONMENTS) {
  const file = path.join(__dirname, 'pinned', `${environment}.json`);
  writeFileSync(file, `${JSON.stringify(identitiesOf(environment), undefined, 2)}\n`);
}
