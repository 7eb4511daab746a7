import { readFileSync } from 'node:fs';
import path from 'node:path';
import { alarmsPage } from './alarms-page';

/** Without what the formatter decides. */
const words = (text: string) => text.replaceAll(/[\s:-]+/g, ' ').trim();

test('the page of alarms is that of the templates; npx tsx test/docs/write-alarms.ts writes it again', () => {
  const written = readFileSync(path.resolve(__dirname, '../../docs/alarms.md'), 'utf8');
  expect(words(written)).toBe(words(alarmsPage()));
});
