import { readFileSync } from 'node:fs';
import path from 'node:path';
import { environmentsPage } from './environments-page';

/** Without what the formatter decides. */
const words = (text: string) => text.replaceAll(/[\s:-]+|\\/g, ' ').trim();

test('the page of settings is that of the schema; npx tsx test/docs/write-environments.ts writes it again', () => {
  const written = readFileSync(path.resolve(__dirname, '../../docs/environments.md'), 'utf8');
  expect(words(written)).toBe(words(environmentsPage()));
});
