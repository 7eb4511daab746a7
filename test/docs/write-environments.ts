import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { format, resolveConfig } from 'prettier';
import { environmentsPage } from './environments-page';

// Writes docs/environments.md, from the settings.
process.env.CDK_VALIDATION = 'false';
const file = path.resolve(__dirname, '../../docs/environments.md');

async function write(): Promise<void> {
  writeFileSync(file, await format(environmentsPage(), { ...(await resolveConfig(file)), filepath: file }));
}

void write();
