import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { format, resolveConfig } from 'prettier';
import { costsPage } from './costs-page';

// Writes the page of costs again, after the configuration, a price or an assumption changed.
process.env.CDK_VALIDATION = 'false';
const file = path.resolve(__dirname, '../../docs/costs.md');

async function write(): Promise<void> {
  writeFileSync(file, await format(costsPage(), { ...(await resolveConfig(file)), filepath: file }));
}

void write();
