import { readFileSync } from 'node:fs';
import path from 'node:path';
import { dashboardPicture } from './dashboard-picture';

test('the picture is that of the template; npx tsx test/docs/write-dashboard.ts draws it again', () => {
  expect(readFileSync(path.resolve(__dirname, '../../docs/dashboard.svg'), 'utf8')).toBe(dashboardPicture());
});
