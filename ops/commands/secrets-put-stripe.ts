import type { InspectEnvironment } from '../../lambdas/inspect/contract';
import { defineCommand, type CommandResult } from '../command';
import { variableOf } from '../discover';
import { CommandError, explain } from '../errors';
import { putApiKey } from '../put-api-key';
import { putSigningSecret } from '../put-signing-secret';
import { flag, oneOf, optional, required, text, wholeNumber } from '../values';

const DEFAULT_OVERLAP_HOURS = 24;

const SECRETS = {
  'signing-secret': {
    variable: 'STRIPE_SIGNING_SECRET_ARN',
    form: /^whsec_[A-Za-z0-9+/=_-]{8,}$/,
    expected: 'a signing secret: whsec_, then 8 or more letters, digits or +/=_-',
    proof: 'ops webhooks send, or a test event from Stripe’s dashboard, is answered 200',
  },
  'api-key': {
    variable: 'STRIPE_API_SECRET_ARN',
    form: /^(rk|sk)_(live|test)_[A-Za-z0-9]{8,}$/,
    expected: 'a key that begins with rk_live_, rk_test_, sk_live_ or sk_test_, then has 8 or more letters or digits',
    proof: 'ops doctor',
  },
} as const;

export const secretsPutStripe = defineCommand({
  name: 'secrets put-stripe',
  summary: 'Stores a secret that Stripe issued; typed without echo, or from the standard input',
  details:
    'The value is proven before it becomes current: with an API key, the platform calls Stripe for everything that it reads; with a signing secret, the endpoint has to accept an event signed with it, and the former one stays valid for the overlap, so that no delivery fails while Stripe rolls it. The value is never an argument, so it is in no shell history and no audit record.',
  effect: 'changes',
  changes: 'the current value of the secret; other fields stay as they are.',
  json: '`{secret, versionId, previousExpiresAt, proof}`; proof is null where nothing was proven',
  arguments: { secret: required(oneOf('secret', ['signing-secret', 'api-key']), 'The secret to store') },
  options: {
    overlapHours: optional(
      wholeNumber('hours', 0, 168),
      'Hours that the former signing secret stays valid. Default: 24',
    ),
    withoutProof: flag('Store it although it cannot be proven, such as while Stripe is not reachable'),
    confirm: optional(text('environment'), 'The name of the environment, typed again'),
  },
  examples: [
    { line: 'secrets put-stripe signing-secret --confirm staging', explains: 'Store the new signing secret.' },
  ],
  async run(context, { secret, overlapHours = DEFAULT_OVERLAP_HOURS, withoutProof, confirm }) {
    const { variable, form, expected } = SECRETS[secret];
    const { environment } = context.target;
    const arn = await variableOf<InspectEnvironment>(context, 'inspect', variable);
    await context.confirm(environment, confirm, `The ${secret} of ${environment} would be replaced.`);
    const value = (await context.readSecret(`New ${secret}: `)).trim();
    if (!form.test(value)) throw new CommandError('usage', `The value is not stored: expected ${expected}`);
    const { GetSecretValueCommand } = await import('@aws-sdk/client-secrets-manager');
    try {
      const client = await context.clients.secretsManager();
      const { SecretString: json = '{}', VersionId: versionId = '' } = await client.send(
        new GetSecretValueCommand({ SecretId: arn }),
      );
      const secretInUse = { client, arn, versionId, fields: JSON.parse(json) as Readonly<Record<string, unknown>> };
      const { current } = secretInUse.fields;
      if (secret === 'api-key') {
        const stored = await putApiKey(context, secretInUse, value, !withoutProof);
        return resultOf({ secret, ...stored, previousExpiresAt: null });
      }
      if (current === value) throw new CommandError('refused', 'This signing secret is the current one already');
      // The stack creates the secret with a random value, which no provider has: until then the endpoint accepts nothing.
      const wasSet = form.test(String(current));
      const previousExpiresAt = wasSet
        ? new Date(context.now().getTime() + overlapHours * 3_600_000).toISOString()
        : null;
      const former = wasSet ? { previous: current, previousExpiresAt } : {};
      const isProven = wasSet && !withoutProof;
      const stored = await putSigningSecret(context, secretInUse, { value, former, isProven });
      return resultOf({ secret, ...stored, previousExpiresAt });
    } catch (cause) {
      throw explain(cause, `store the ${secret}`, context.target.label);
    }
  },
});

interface StoredReport {
  readonly secret: keyof typeof SECRETS;
  readonly versionId: string;
  readonly previousExpiresAt: string | null;
  readonly proof: string | null;
}

function resultOf(report: StoredReport): CommandResult {
  const { secret, proof, previousExpiresAt } = report;
  return {
    report,
    lines: [
      proof === null
        ? `Stored, not proven. Functions use it within a minute; then: ${SECRETS[secret].proof}`
        : `Stored: ${proof}`,
      ...(previousExpiresAt === null ? [] : [`The former one is accepted until ${previousExpiresAt}`]),
    ],
  };
}
