import path from 'node:path';
import { alarmsPage } from './alarms-page';
import { writeFormatted } from '../support/write-formatted';

// Writes the page of alarms again, after an alarm, a fault or a cause changed.
process.env.CDK_VALIDATION = 'false';
const file = path.resolve(__dirname, '../../docs/alarms.md');

async function write(): Promise<void> {
  await writeFormatted(file, alarmsPage());
}

void write();
