import { baseSettings, billingDatabaseSettings, readEnvironment, setting } from '../../../core/runtime/environment';

const complete = {
  ENVIRONMENT_NAME: 'production',
  LOG_LEVEL: 'INFO',
  BILLING_DATABASE_HOST: 'billing.example',
  BILLING_DATABASE_PORT: '5432',
  BILLING_DATABASE_NAME: 'billing',
  BILLING_DATABASE_SECRET_ARN: 'arn:aws:secretsmanager:eu-central-1:111111111111:secret:billing',
};
const shape = {
  ...baseSettings,
  ...billingDatabaseSettings,
  DRY: setting.flag(),
  API: setting.url(),
  NOTE: setting.optionalText(),
};
const others = { DRY: 'false', API: 'https://api.stripe.com', NOTE: '' };

test('a complete environment is read with its types', () => {
  expect(readEnvironment(shape, { ...complete, ...others })).toMatchObject({
    BILLING_DATABASE_PORT: 5432,
    DRY: false,
    NOTE: '',
  });
});

test.each([
  [
    { BILLING_DATABASE_HOST: undefined },
    'environment variable BILLING_DATABASE_HOST is missing: expected a host name or address',
  ],
  [
    { BILLING_DATABASE_HOST: ' ' },
    'environment variable BILLING_DATABASE_HOST is malformed: expected a host name or address',
  ],
  [
    { BILLING_DATABASE_PORT: '54x' },
    'environment variable BILLING_DATABASE_PORT is malformed: expected a whole number from 1 to 65535',
  ],
  [
    { BILLING_DATABASE_PORT: '0' },
    'environment variable BILLING_DATABASE_PORT is malformed: expected a whole number from 1 to 65535',
  ],
  [{ DRY: 'yes' }, 'environment variable DRY is malformed: expected `true` or `false`'],
  [{ API: 'api.stripe.com' }, 'environment variable API is malformed: expected a URL such as https://example.com'],
  [{ LOG_LEVEL: undefined }, 'environment variable LOG_LEVEL is missing: expected `DEBUG`, `INFO`, `WARN` or `ERROR`'],
])('%j is refused by name and expected form', (wrong, message) => {
  expect(() => readEnvironment(shape, { ...complete, ...others, ...wrong })).toThrow(message);
});

test('all that is wrong is named at once, and no value is repeated', () => {
  const read = () =>
    readEnvironment(shape, { ...complete, ...others, DRY: 'sk_live_secret', BILLING_DATABASE_NAME: undefined });

  expect(read).toThrow(/BILLING_DATABASE_NAME is missing.*DRY is malformed/);
  expect(read).not.toThrow('sk_live_secret');
});
