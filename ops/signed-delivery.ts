import { createHmac } from 'node:crypto';
import type { Context } from './context';
import { CommandError, explain } from './errors';

const TIMEOUT_MS = 15_000;

/** Where Stripe posts to: the local platform says so itself, elsewhere the stack does. */
export async function endpointOf({ target, clients }: Context): Promise<string> {
  if (target.platform !== undefined) return target.platform.webhookUrl;
  const { DescribeStacksCommand } = await import('@aws-sdk/client-cloudformation');
  const StackName = `BillingOps-${target.environment}-Operations`;
  try {
    const { Stacks = [] } = await (await clients.cloudFormation()).send(new DescribeStacksCommand({ StackName }));
    const output = Stacks[0]?.Outputs?.find(({ OutputKey = '' }) => OutputKey.startsWith('WebhookStripeEndpoint'));
    if (output?.OutputValue !== undefined) return output.OutputValue;
  } catch (cause) {
    throw explain(cause, `read the outputs of ${StackName}`, target.label);
  }
  throw new CommandError('failed', `${StackName} has no output with the endpoint: deploy it again`);
}

/** Signs and posts a body. @see https://docs.stripe.com/webhooks#verify-manually */
export async function deliver(
  { now, target }: Context,
  url: string,
  secret: string,
  body: string,
): Promise<{ status: number; answer: string }> {
  const timestamp = Math.floor(now().getTime() / 1000);
  const signature = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
  try {
    const response = await fetch(url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', 'stripe-signature': `t=${timestamp},v1=${signature}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return { status: response.status, answer: (await response.text()).slice(0, 500) };
  } catch (cause) {
    throw explain((cause as Error).cause ?? cause, `send the event to ${url}`, target.label);
  }
}
