import { readFileSync } from 'node:fs';
import path from 'node:path';
import { COMMANDS } from '../../ops/commands';
import { opsPage } from './ops-page';

const PAGE = readFileSync(path.resolve(__dirname, '../../docs/ops.md'), 'utf8');
/** Without what the formatter decides. */
const words = (text: string) => text.replaceAll(/[\s:-]+/g, ' ').trim();

test('docs/ops.md describes the commands; npx tsx test/docs/write-ops.ts writes it again', () => {
  expect(words(PAGE)).toBe(words(opsPage()));
});

test('every contract that a command names for --json is there', () => {
  const named = COMMANDS.flatMap(({ json }) => [...json.matchAll(/`([\w/-]+\.ts)`/g)].map(([, file = '']) => file));
  expect(named.length).toBeGreaterThan(20);
  for (const file of named) expect(() => readFileSync(path.resolve(__dirname, '../..', file))).not.toThrow();
});
