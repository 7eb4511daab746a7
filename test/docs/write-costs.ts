import path from 'node:path';
import { costsPage } from './costs-page';
import { writeFormatted } from '../support/write-formatted';

// Writes the page of costs again, after the configuration, a price or an assumption changed.
process.env.CDK_VALIDATION = 'false';
const file = path.resolve(__dirname, '../../docs/costs.md');

async function write(): Promise<void> {
  await writeFormatted(file, costsPage());
}

void write();
