import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { format, resolveConfig } from 'prettier';
import { errorsPage } from './errors-page';

// Writes the page of errors again, after the table of error codes changed.
const file = path.resolve(__dirname, '../../docs/errors.md');

async function write(): Promise<void> {
  writeFileSync(file, await format(errorsPage(), { ...(await resolveConfig(file)), filepath: file }));
}

void write();
