import { readFileSync } from 'node:fs';
import path from 'node:path';
import { costsPage } from './costs-page';

/** Without what the formatter decides. */
const words = (text: string) => text.replaceAll(/[\s:-]+/g, ' ').trim();

test('the page of costs is that of the configuration; npx tsx test/docs/write-costs.ts writes it again', () => {
  const written = readFileSync(path.resolve(__dirname, '../../docs/costs.md'), 'utf8');
  expect(words(written)).toBe(words(costsPage()));
});
