import { InvokeCommand } from '@aws-sdk/client-lambda';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { mockClient } from 'aws-sdk-client-mock';
import { withoutSecrets } from '../../ops/without-secrets';
import { askedLambda, runAnswered } from './run-answered';

const ID = '4fGh1kL0pQr2';
const SECRET = 'l_2GZKIVvYihDUi6r7cHFlAGFM97Sq50wnBKVJ4vsmo';

beforeAll(() => {
  mockClient(STSClient).on(GetCallerIdentityCommand).resolves({ Arn: 'arn:aws:iam::1:user/ann' });
});

/** What the functions were asked, the audit function among them. */
const asked = (): { readonly FunctionName?: string; readonly request: Readonly<Record<string, unknown>> }[] =>
  askedLambda.commandCalls(InvokeCommand).map(({ args: [{ input }] }) => ({
    FunctionName: input.FunctionName,
    request: JSON.parse(input.Payload as string) as Record<string, unknown>,
  }));

test.each(['revoke', 'rotate'])('a whole key that is given to keys %s is taken by its id', async (action) => {
  await runAnswered(['keys', action, `bok_${ID}_${SECRET}`, '--env', 'dev', '--without-audit'], {});
  expect(asked().map(({ request }) => request)).toMatchObject([{ action, id: ID }]);
});

test('what is no key is refused before anything is asked', async () => {
  const { status, stderr } = await runAnswered(['keys', 'revoke', 'academy', '--env', 'dev'], {});
  expect([status, stderr]).toEqual([2, expect.stringContaining('expected the id of a key such as 4fGh1kL0pQr2')]);
  expect(asked()).toEqual([]);
});

test('the audit log has the id of a key that was pasted, and never its secret', async () => {
  await runAnswered(['keys', 'revoke', `bok_${ID}_${SECRET}`, '--env', 'dev'], { action: 'begin', id: 'record-1' });
  const [begun] = asked();
  expect(begun).toMatchObject({
    FunctionName: 'BillingOps-dev-audit',
    request: { action: 'begin', command: `ops keys revoke bok_${ID}_… --env dev` },
  });
  expect(JSON.stringify(asked())).not.toContain(SECRET);
});

test.each([
  ['--reason "leaked: whsec_9f8e7d6c5b4a"', '--reason "leaked: whsec_…"'],
  ['sk_live_51Habc rk_test_xyz0 sk_org_live_9Zy8', 'sk_live_… rk_test_… sk_org_live_…'],
  ['--reason "the key sk_3WmQz8VYbT5rKc1LxN7d of Tilled"', '--reason "the key sk_… of Tilled"'],
  ['rows compare billing --table sk_orders', undefined],
  ['postgresql://ann:s3cr:et/x@db.example.com/billing', 'postgresql://ann:…@db.example.com/billing'],
  ['rows merge billing 20261121T061500Z-1f0c9a3e billing.subscriptions:sub_1', undefined],
  ['rows report billing --from-instance db.example.com:5432/billing_check', undefined],
])('a record of "%s" has no secret', (text, expected = text) => {
  expect(withoutSecrets(text)).toBe(expected);
});
