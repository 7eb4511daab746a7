import { rowRecoveryRequest } from '../../../lambdas/row-recovery/contract';
import { placeOf } from '../../../lambdas/row-recovery/restored-instance';

describe('the place of an instance', () => {
  const LIVE = { host: 'billing-operations-production-billing.abc123.eu-central-1.rds.amazonaws.com', port: 5432 };

  test('is beside the live one on RDS, by its identifier', () => {
    expect(placeOf(LIVE, { identifier: 'billing-operations-production-billing-rows-1' })).toEqual({
      host: 'billing-operations-production-billing-rows-1.abc123.eu-central-1.rds.amazonaws.com',
      port: 5432,
    });
  });

  test.each([
    'db.example.com',
    'x.def456.eu-central-1.rds.amazonaws.com',
    'x.abc123.eu-central-1.rds.amazonaws.com.evil',
  ])('is never %s, which would be sent the password', (host) => {
    expect(() => placeOf(LIVE, { host })).toThrow(/instance\.host: expected an instance of the account and region/);
  });

  test('has no identifier where the live database is no RDS instance', () => {
    expect(() => placeOf({ host: '10.0.0.1', port: 5432 }, { identifier: 'x1' })).toThrow('give instance.host');
  });
});

test.each<[string, object, RegExp]>([
  ['no source', {}, /give an archive, or an instance/],
  ['two sources', { archive: 'latest', instance: { identifier: 'x1' } }, /leave it out, or the archive/],
  [
    'a moment for an instance',
    { notAfter: '2026-11-21T06:00:00Z', instance: { identifier: 'x1' } },
    /only together with/,
  ],
  ['an empty instance', { instance: {} }, /expected an identifier, a host, or a targetDatabase/],
  ['two places', { instance: { identifier: 'x1', host: 'h' } }, /leave it out, or the identifier/],
  [
    'an identifier in another form',
    { instance: { identifier: 'Billing_1' } },
    /expected the identifier of an RDS instance/,
  ],
  ['an unknown field', { instance: { name: 'x1' } }, /[Uu]nrecognized key/],
])('a request with %s is refused by name', (_, source, reason) => {
  const request = { action: 'report', database: 'billing', tables: ['app.children'], ...source };
  const { error } = rowRecoveryRequest.safeParse(request);
  expect(error?.issues.map(({ message }) => message).join()).toMatch(reason);
});
