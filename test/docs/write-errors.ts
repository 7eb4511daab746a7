import path from 'node:path';
import { errorsPage } from './errors-page';
import { writeFormatted } from '../support/write-formatted';

// Writes the page of errors again, after the table of error codes changed.
const file = path.resolve(__dirname, '../../docs/errors.md');

async function write(): Promise<void> {
  await writeFormatted(file, errorsPage());
}

void write();
