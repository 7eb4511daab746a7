import { functionName } from '../../core/contract';
import type { InspectEnvironment } from '../../lambdas/inspect/contract';
import type { CheckReport } from '../../lambdas/replay/contract';
import type { Context } from '../context';
import { variableOf } from '../discover';
import { explain } from '../errors';
import { counted } from '../print/units';
import { type Finding, good, judged, wrong } from './finding';

/** Path of the address that Stripe delivers to, whatever the host. */
const ENDPOINT_PATH = '/webhooks/stripe';

/** Whether the key reads what it must, and the endpoint gets what it must. */
export async function checkStripe({ invoke }: Context): Promise<Finding[]> {
  const { contract, checkReport } = await import('../../lambdas/replay/contract');
  const report = await invoke('replay', { ...contract, report: checkReport }, { action: 'check' });
  const { permissions, endpoints, apiVersion } = report;
  const refused = permissions.filter(({ refusal }) => refusal !== null);
  const names = refused.map(({ name }) => name).join(', ');
  const key = judged(
    'Stripe key',
    refused.length === 0,
    refused.length === 0
      ? `reads all ${permissions.length} kinds, API version ${apiVersion}`
      : `may not read ${names}: ${refused[0]?.refusal ?? ''}`,
    'give the key the permissions in Stripe’s dashboard (docs/deploy.md, step 6), or ops secrets put-stripe api-key',
  );
  return [key, judgeEndpoint(endpoints)];
}

function judgeEndpoint(endpoints: CheckReport['endpoints']): Finding {
  if (endpoints === null) {
    const detail = 'the key may not read Webhook Endpoints, so this is not known';
    return { check: 'Stripe endpoint', state: 'skipped', detail, fix: null };
  }
  const own = endpoints.filter(({ url }) => url.endsWith(ENDPOINT_PATH));
  const [endpoint] = own.toSorted((a, b) => Number(b.enabled) - Number(a.enabled));
  if (endpoint === undefined) return wrong('Stripe endpoint', 'there is none', 'docs/deploy.md, step 5');
  if (!endpoint.enabled)
    return wrong('Stripe endpoint', `${endpoint.url} is disabled`, 'enable it in Stripe’s dashboard: ops open stripe');
  // Events of connected accounts have an endpoint of their own, with other types.
  const { url, missing } = own
    .filter((each) => each.enabled)
    .reduce((a, b) => (b.missing.length < a.missing.length ? b : a));
  return judged(
    'Stripe endpoint',
    missing.length === 0,
    missing.length === 0
      ? `${url} gets every type`
      : `${url} lacks ${counted(missing.length, 'type')}: ${missing.slice(0, 3).join(', ')}`,
    'subscribe it to the types of docs/deploy.md, step 5',
  );
}

/** Whether the signing secret is Stripe's, and not the random value that the stack made. */
export async function checkSigningSecret(context: Context): Promise<Finding[]> {
  const { clients, target } = context;
  const SecretId = await variableOf<InspectEnvironment>(context, 'inspect', 'STRIPE_SIGNING_SECRET_ARN');
  const { GetSecretValueCommand } = await import('@aws-sdk/client-secrets-manager');
  let text: string;
  try {
    const client = await clients.secretsManager();
    ({ SecretString: text = '' } = await client.send(new GetSecretValueCommand({ SecretId })));
  } catch (cause) {
    throw explain(cause, 'read the signing secret', target.label);
  }
  const isStripes = /"current"\s*:\s*"\s*whsec_/.test(text);
  return [
    judged(
      'signing secret',
      isStripes,
      isStripes ? 'it is one of Stripe’s' : 'it is not one of Stripe’s: every delivery is refused',
      'ops secrets put-stripe signing-secret',
    ),
  ];
}

/** Whether asynchronous requests failed for good. */
export async function checkFailureQueues({ clients, target }: Context): Promise<Finding[]> {
  const { GetQueueAttributesCommand, ListQueuesCommand } = await import('@aws-sdk/client-sqs');
  const failed: string[] = [];
  try {
    const sqs = await clients.sqs();
    const QueueNamePrefix = functionName(target.environment, '');
    const { QueueUrls: urls = [] } = await sqs.send(new ListQueuesCommand({ QueueNamePrefix, MaxResults: 1000 }));
    const queues = urls.filter((url) => url.endsWith('-failures'));
    for (const QueueUrl of queues) {
      const { Attributes: attributes } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['ApproximateNumberOfMessages'] }),
      );
      const count = Number(attributes?.ApproximateNumberOfMessages ?? 0);
      const stem = QueueUrl.split('/').at(-1)?.slice(QueueNamePrefix.length, -'-failures'.length) ?? '';
      if (count > 0) failed.push(`${stem} (${count})`);
    }
    if (failed.length === 0) return [good('failed requests', `${queues.length} queues are empty`)];
  } catch (cause) {
    throw explain(cause, 'count the failed requests', target.label);
  }
  const [first = ''] = failed;
  return [wrong('failed requests', failed.join(', '), `ops failures list ${first.split(' ')[0]}`)];
}
