import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { DATABASE_NAMES } from '../../lambdas/shared/contract';
import { asAdministrator, templateName } from './database';

/** Migrates one database of each kind, which the tests clone. */
export async function createTemplateDatabases(): Promise<void> {
  for (const kind of DATABASE_NAMES) {
    const template = templateName(kind);
    await asAdministrator((client) => client.query(`CREATE DATABASE ${template}`));
    await asAdministrator(async (client) => {
      const directory = path.join(__dirname, '../../migrations', kind);
      for (const file of readdirSync(directory).toSorted()) {
        const [up] = readFileSync(path.join(directory, file), 'utf8').split('-- Down Migration');
        await client.query(up ?? '');
      }
    }, template);
  }
}
