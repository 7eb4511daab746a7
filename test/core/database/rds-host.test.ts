import { assertArchiveCopy, assertHostBeside } from '../../../core/database/rds-host';

const LIVE = 'main.abc123.eu-central-1.rds.amazonaws.com';
const beside = (live: string, host: string) => () => assertHostBeside(live, host, 'host');

test.each([
  [LIVE, 'main-archive-1.abc123.eu-central-1.rds.amazonaws.com'],
  ['10.0.0.1', '10.0.0.2'],
])('beside %s, %s may be sent its password', (live, host) => {
  expect(beside(live, host)).not.toThrow();
});

test.each([
  'db.example.com',
  'x.def456.eu-central-1.rds.amazonaws.com',
  'x.abc123.eu-west-1.rds.amazonaws.com',
  'x.abc123.eu-central-1.rds.amazonaws.com.example.com',
  'example.com/x.abc123.eu-central-1.rds.amazonaws.com',
])('beside an RDS instance, %s may not', (host) => {
  expect(beside(LIVE, host)).toThrow('host: expected an instance of the account and region of the live one');
});

test('of a copy for an archive, only the host that RDS gave it may be sent the password', () => {
  const copy = (host: string) => () => assertArchiveCopy('acme-main', host, 'host');
  expect(copy('acme-main-archive-0123abcd.abc123.eu-central-1.rds.amazonaws.com')).not.toThrow();
  for (const host of [
    'acme-main-archive-0123abcd.example.com',
    LIVE,
    'acme-archive-1.abc.eu-central-1.rds.amazonaws.com',
  ]) {
    expect(copy(host)).toThrow('host: expected the copy that the workflow made, acme-main-archive-….rds.amazonaws.com');
  }
});
