import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { format } from 'oxfmt';

const SETTINGS = path.resolve(__dirname, '../../.oxfmtrc.json');

/** Writes a generated page or file as `npm run format` would leave it. */
export async function writeFormatted(file: string, text: string): Promise<void> {
  const { code, errors } = await format(path.basename(file), text, JSON.parse(readFileSync(SETTINGS, 'utf8')));
  if (errors.length > 0) throw new Error(`${file}: ${errors.map(({ message }) => message).join('; ')}`);
  writeFileSync(file, code);
}
