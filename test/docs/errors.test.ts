import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ERROR_CODES, type ErrorCode } from '../../core/runtime/error-codes';
import { sourcesIn } from '../conventions/sources';
import { errorsPage } from './errors-page';

const docs = (name: string) => readFileSync(path.resolve(__dirname, '../../docs', name), 'utf8');
/** Without what the formatter decides. */
const words = (text: string) => text.replaceAll(/[\s:-]+/g, ' ').trim();
const CODES = Object.keys(ERROR_CODES) as ErrorCode[];

test('docs/errors.md describes the table of error codes; npx tsx test/docs/write-errors.ts writes it again', () => {
  expect(words(docs('errors.md'))).toBe(words(errorsPage()));
});

test('every error code is thrown somewhere', () => {
  const sources = ['core', 'lambdas']
    .flatMap(sourcesIn)
    .filter(({ path: file }) => file !== 'core/runtime/error-codes.ts');
  const unused = CODES.filter((code) => !sources.some(({ text }) => text.includes(`'${code}'`)));
  expect(unused).toEqual([]);
});

test('every runbook anchor of an error code is a heading of the runbook', () => {
  const anchors = [...docs('runbook.md').matchAll(/^## (.+)$/gm)].map(([, title = '']) =>
    title.toLowerCase().replaceAll(' ', '-'),
  );
  const linked = CODES.flatMap((code) => ERROR_CODES[code].runbook ?? []);
  expect(linked.length).toBeGreaterThan(10);
  expect(linked.filter((anchor) => !anchors.includes(anchor))).toEqual([]);
});
