import { readFileSync } from 'node:fs';
import path from 'node:path';
import { COMMANDS } from '../../ops/commands';
import { opsPage } from './ops-page';
import { OPERATIONS, operationsPage } from './operations';
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

test('docs/operations.md has every operation, each with a command that the session times or a way of its own', () => {
  const page = words(readFileSync(path.resolve(__dirname, '../../docs/operations.md'), 'utf8'));
  const typed = SESSION.map(({ line }) => line);
  const operations = Object.values(OPERATIONS).flat();
  expect(operations.flatMap(({ line }) => (line === undefined || typed.includes(line) ? [] : [line]))).toEqual([]);
  // The seconds differ from run to run.
  const wanted = words(operationsPage(new Map())).split('|');
  expect(wanted.filter((cell) => !page.includes(cell.trim()))).toEqual([]);
  expect(page.match(/\| \d+\.\d \|/g)).toHaveLength(operations.filter(({ line }) => line !== undefined).length);
});
