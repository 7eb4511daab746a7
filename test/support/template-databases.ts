import path from 'node:path';
import { DATABASE_NAMES } from '../../core/contract';
import { applyMigrations } from '../../core/migrations/runner';
import { asAdministrator, templateName } from './database';

/** Migrates one database of each kind, which the tests clone. */
export async function createTemplateDatabases(): Promise<void> {
  for (const kind of DATABASE_NAMES) {
    const template = templateName(kind);
    const directory = path.join(__dirname, '../../migrations', kind);
    await asAdministrator((client) => client.query(`CREATE DATABASE ${template}`));
    await asAdministrator((client) => applyMigrations(client, kind, directory), template);
  }
}
