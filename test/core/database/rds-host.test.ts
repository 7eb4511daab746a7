import { assertArchiveCopy, assertHostBeside } from '../../../core/database/rds-host';
import { instanceBehind } from '../../../core/residency/contract';

const LIVE = 'main.abc123.eu-central-1.rds.amazonaws.com';
const beside = (live: string, host: string) => () => assertHostBeside(live, host, 'host');

test.each([
  [LIVE, 'main-archive-1.abc123.eu-central-1.rds.amazonaws.com'],
  ['10.0.0.1', '10.0.0.2'],
  ['main.abc123.rds.cn-north-1.amazonaws.com.cn', 'main-archive-1.abc123.rds.cn-north-1.amazonaws.com.cn'],
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

test('beside an RDS instance that the configuration has in capitals, a host outside of RDS may not', () => {
  expect(beside(LIVE.toUpperCase(), 'main-2.abc123.eu-central-1.rds.amazonaws.com')).not.toThrow();
  expect(beside(LIVE.toUpperCase(), 'db.example.com')).toThrow('host: expected an instance of the account and region');
});

test('of a copy for an archive, only the host that RDS gave it in the region may be sent the password', () => {
  const copy = (host: string, region?: string) => () => assertArchiveCopy('acme-main', host, 'host', region);
  const made = 'acme-main-archive-0123abcd.abc123.eu-central-1.rds.amazonaws.com';
  expect(copy(made)).not.toThrow();
  expect(copy(made, 'eu-central-1')).not.toThrow();
  for (const host of [
    // An alias of the copy: DNS decides where it leads.
    'acme-main-archive-0123abcd.example.com',
    LIVE,
    'acme-archive-1.abc.eu-central-1.rds.amazonaws.com',
    'acme-main-archive-0123abcd.abc123.us-east-1.rds.amazonaws.com',
  ]) {
    expect(copy(host, 'eu-central-1')).toThrow(
      'host: expected the copy that the workflow made, acme-main-archive-….eu-central-1.rds.amazonaws.com',
    );
  }
});

test('in China, where the region stands elsewhere in the host, the same is told of an instance and of a copy', () => {
  const live = 'acme-main.abc123.rds.cn-north-1.amazonaws.com.cn';
  const copy = live.replace('main.', 'main-archive-0123abcd.');
  expect(() => assertArchiveCopy('acme-main', copy, 'host', 'cn-north-1')).not.toThrow();
  expect(() => assertArchiveCopy('acme-main', copy, 'host', 'cn-northwest-1')).toThrow('expected the copy');
  expect(beside(live, 'db.example.com')).toThrow('expected an instance of the account and region');
  expect(instanceBehind({ host: live })).toEqual({ id: 'acme-main', region: 'cn-north-1' });
});
