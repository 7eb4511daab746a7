import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { format, resolveConfig } from 'prettier';
import { opsPage } from './ops-page';

// Writes the page of the command line again, after a description of a command changed.
const file = path.resolve(__dirname, '../../docs/ops.md');

async function write(): Promise<void> {
  writeFileSync(file, await format(opsPage(), { ...(await resolveConfig(file)), filepath: file }));
}

void write();
