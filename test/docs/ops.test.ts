import { readFileSync } from 'node:fs';
import path from 'node:path';
import { COMMANDS } from '../../ops/commands';
import { opsPage } from './ops-page';
import { SESSION } from './ops-session';

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

test('the recorded session shows every command, with the output of the commands as they are', () => {
  const recorded = readFileSync(path.resolve(__dirname, '../../docs/ops-session.md'), 'utf8');
  // As far as the first part that differs from run to run.
  const typed = SESSION.flatMap(({ line }) => (line === undefined ? [] : [`$ ops ${line.split('{')[0]}`]));
  expect(typed.filter((line) => !recorded.includes(line))).toEqual([]);
  const shown = SESSION.map(({ line = '' }) => COMMANDS.filter(({ name }) => `${line} `.startsWith(`${name} `))).flat();
  expect(COMMANDS.filter((command) => !shown.includes(command)).map(({ name }) => name)).toEqual([]);
});
