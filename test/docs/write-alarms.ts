import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { format, resolveConfig } from 'prettier';
import { alarmsPage } from './alarms-page';

// Writes the page of alarms again, after an alarm, a fault or a cause changed.
process.env.CDK_VALIDATION = 'false';
const file = path.resolve(__dirname, '../../docs/alarms.md');

async function write(): Promise<void> {
  writeFileSync(file, await format(alarmsPage(), { ...(await resolveConfig(file)), filepath: file }));
}

void write();
