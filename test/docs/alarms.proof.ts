import { readFileSync } from 'node:fs';
import path from 'node:path';
import { metricAlarmsOf, tellsReturn } from '../lib/monitoring/cloudwatch/template-alarms';
import { templatesOf } from '../lib/support';
import { synthesise } from '../lib/synthesise';
import { exampleEnvironment } from '../support/example-environments';
import { alarmsPage } from './alarms-page';

/** Without what the formatter decides. */
const words = (text: string) => text.replaceAll(/[\s:-]+/g, ' ').trim();

test('the page of alarms is that of the templates; npx tsx test/docs/write-alarms.ts writes it again', () => {
  const written = readFileSync(path.resolve(__dirname, '../../docs/alarms.md'), 'utf8');
  expect(words(written)).toBe(words(alarmsPage()));
});

test('the page names each alarm that an environment without computed alarms lacks, and no other', () => {
  const written = readFileSync(path.resolve(__dirname, '../../docs/alarms.md'), 'utf8');
  const [, list = ''] = /## Without computed alarms\n[^]*?is raised:\n([^.]*)\./.exec(written) ?? [];
  const named = [...list.matchAll(/`([^`]+)`/g)].map(([, name]) => `BillingOps-production-${name}`);
  const without = synthesise({ ...exampleEnvironment('production'), computedAlarms: false });
  const left = new Set(metricAlarmsOf(without.monitoring).map(({ name }) => name));
  const missing = metricAlarmsOf(templatesOf('production').monitoring)
    .map(({ name }) => name)
    .filter((name) => !tellsReturn(name) && !left.has(name));
  expect(named.toSorted()).toEqual(missing.toSorted());
  expect(named.length).toBeGreaterThan(10);
});
