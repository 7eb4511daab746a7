import path from 'node:path';
import { environmentsPage } from './environments-page';
import { writeFormatted } from '../support/write-formatted';

// Writes docs/environments.md, from the settings.
process.env.CDK_VALIDATION = 'false';
const file = path.resolve(__dirname, '../../docs/environments.md');

async function write(): Promise<void> {
  await writeFormatted(file, environmentsPage());
}

void write();
