import path from 'node:path';
import { environmentJsonSchema } from '../../../lib/config/environment-schema';
import { writeFormatted } from '../../support/write-formatted';

// Writes the JSON schema with which editors complete and explain the files in environments/.
async function write(): Promise<void> {
  const file = path.resolve(__dirname, '../../../environments/schema.json');
  await writeFormatted(file, JSON.stringify(environmentJsonSchema()));
}

void write();
