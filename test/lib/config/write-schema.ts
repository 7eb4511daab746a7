import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { format, resolveConfig } from 'prettier';
import { environmentJsonSchema } from '../../../lib/config/environment-schema';

// Writes the JSON schema with which editors complete and explain the files in environments/.
async function write(): Promise<void> {
  const file = path.resolve(__dirname, '../../../environments/schema.json');
  const options = { ...(await resolveConfig(file)), filepath: file };
  writeFileSync(file, await format(JSON.stringify(environmentJsonSchema()), options));
}

void write();
