import path from 'node:path';
import { opsPage } from './ops-page';
import { writeFormatted } from '../support/write-formatted';

// Writes the page of the command line again, after a description of a command changed.
const file = path.resolve(__dirname, '../../docs/ops.md');

async function write(): Promise<void> {
  await writeFormatted(file, opsPage());
}

void write();
