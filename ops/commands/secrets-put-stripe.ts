import type { InspectEnvironment } from '../../lambdas/inspect/contract';
import { defineCommand } from '../command';
import { variableOf } from '../discover';
import { CommandError, explain } from '../errors';
import { oneOf, optional, required, text, wholeNumber } from '../values';

const DEFAULT_OVERLAP_HOURS = 24;

const SECRETS = {
  'signing-secret': {
    variable: 'STRIPE_SIGNING_SECRET_ARN',
    form: /^whsec_[A-Za-z0-9+/=_-]{8,}$/,
    expected: 'a signing secret that begins with whsec_',
    proof: 'send a test event from Stripe’s dashboard: it is answered 200',
  },
  'api-key': {
    variable: 'STRIPE_API_SECRET_ARN',
    form: /^(rk|sk)_(live|test)_[A-Za-z0-9]{8,}$/,
    expected: 'a key that begins with rk_live_, rk_test_, sk_live_ or sk_test_',
    proof: 'ops reconcile --dry-run',
  },
} as const;

export const secretsPutStripe = defineCommand({
  name: 'secrets put-stripe',
  summary: 'Stores a secret that Stripe issued; typed without echo, or from the standard input',
  details:
    'The former signing secret stays valid for the overlap, so that no delivery fails while Stripe rolls it. The value is never an argument, so it is in no shell history and no audit record.',
  effect: 'changes',
  changes: 'the current value of the secret; other fields stay as they are.',
  json: '`{secret, versionId, previousExpiresAt}`',
  arguments: { secret: required(oneOf('secret', ['signing-secret', 'api-key']), 'The secret to store') },
  options: {
    overlapHours: optional(
      wholeNumber('hours', 0, 168),
      'Hours that the former signing secret stays valid. Default: 24',
    ),
    confirm: optional(text('environment'), 'The name of the environment, typed again'),
  },
  examples: [
    { line: 'secrets put-stripe signing-secret --confirm staging', explains: 'Store the new signing secret.' },
  ],
  async run(context, { secret, overlapHours = DEFAULT_OVERLAP_HOURS, confirm }) {
    const { variable, form, expected, proof } = SECRETS[secret];
    const { environment } = context.target;
    const arn = await variableOf<InspectEnvironment>(context, 'inspect', variable);
    await context.confirm(environment, confirm, `The ${secret} of ${environment} would be replaced.`);
    const value = (await context.readSecret(`New ${secret}: `)).trim();
    if (!form.test(value)) throw new CommandError('usage', `The value is not stored: expected ${expected}`);
    const { GetSecretValueCommand, PutSecretValueCommand } = await import('@aws-sdk/client-secrets-manager');
    try {
      const client = await context.clients.secretsManager();
      const { SecretString: json = '{}' } = await client.send(new GetSecretValueCommand({ SecretId: arn }));
      const stored = JSON.parse(json) as Readonly<Record<string, unknown>>;
      // The stack creates the secret with a random value, which no provider has.
      const wasSet = form.test(String(stored.current));
      const previousExpiresAt = new Date(context.now().getTime() + overlapHours * 3_600_000).toISOString();
      const next =
        secret === 'api-key'
          ? { ...stored, apiKey: value }
          : { ...stored, current: value, ...(wasSet ? { previous: stored.current, previousExpiresAt } : {}) };
      const { VersionId: versionId } = await client.send(
        new PutSecretValueCommand({ SecretId: arn, SecretString: JSON.stringify(next) }),
      );
      return {
        report: {
          secret,
          versionId,
          previousExpiresAt: secret === 'signing-secret' && wasSet ? previousExpiresAt : null,
        },
        lines: [`Stored; functions use it within a minute. Prove it: ${proof}`],
      };
    } catch (cause) {
      throw explain(cause, `store the ${secret}`, context.target.label);
    }
  },
});
