import { CfnOutput, Duration } from 'aws-cdk-lib';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { ProviderName } from '../../../core/providers/contract';
import type { WebhookEnvironment } from '../../../lambdas/webhook/contract';
import { webhookEndpointsOf } from '../../config/webhook-endpoints';
import { acknowledge } from '../../policy/acknowledge';
import type { HttpApi } from '../http-api';
import { OperationalFunction, type OperationsContext } from '../operational-function';
import { grantProviderSecret, type ProviderSecret } from '../provider-secret';

export interface WebhookProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** API that gets a route for each provider. */
  readonly httpApi: HttpApi;
  /** Queue that verified events are sent to. */
  readonly queue: IQueue;
  /** Secret with the signing secrets of the endpoint of each provider that the environment takes. */
  readonly signingSecrets: { readonly stripe: ProviderSecret } & Readonly<
    Partial<Record<ProviderName, ProviderSecret>>
  >;
}

/**
 * The endpoint that payment providers deliver to. It runs outside the network, without a database: it verifies, enqueues
 * and answers.
 */
export class Webhook extends Construct {
  constructor(scope: Construct, id: string, props: WebhookProps) {
    super(scope, id);
    const { context, httpApi, queue, signingSecrets } = props;
    const { function: fn, live } = new OperationalFunction<WebhookEnvironment>(this, 'Webhook', {
      context,
      stem: 'webhook',
      description: 'Verifies webhooks of payment providers and enqueues them',
      environment: {
        QUEUE_URL: queue.queueUrl,
        STRIPE_SIGNING_SECRET_ARN: signingSecrets.stripe.arn,
        ...(signingSecrets.tilled && { TILLED_SIGNING_SECRET_ARN: signingSecrets.tilled.arn }),
        LIVEMODE: String(context.config.stripe.livemode),
        DEFAULT_APP_ID: context.config.stripe.defaultAppId,
      },
      // Stripe waits 10 s and longer; the promise is a mean of 5 s.
      timeout: Duration.seconds(10),
      memorySize: 512,
      gradual: true,
    });
    queue.grantSendMessages(fn);

    acknowledge(fn, {
      nag: ['NIST.800.53.R5-LambdaConcurrency'],
      checkov: ['CKV_AWS_115'],
      reason:
        'The throttling of the API in front of it is the limit; fewer instances than that needs would refuse genuine webhooks in a burst',
    });

    for (const { provider, path } of webhookEndpointsOf(context.config)) {
      const secret = signingSecrets[provider];
      if (secret === undefined) throw new Error(`The endpoint of ${provider} has no signing secret`);
      const name = `${provider.charAt(0).toUpperCase()}${provider.slice(1)}`;
      grantProviderSecret(fn, `${name}SigningSecret`, secret);
      acknowledge(httpApi.addRoute('POST', path, live), {
        nag: ['AwsSolutions-APIG4', 'AwsSolutions-COG4'],
        checkov: ['CKV_AWS_59'],
        reason:
          'Payment providers support none of the authorisers of API Gateway: the function authenticates each request by its signature over every byte',
      });
      new CfnOutput(this, `${name}Endpoint`, {
        description: `The URL to enter in the dashboard of ${name}`,
        value: httpApi.urlOf(path),
      });
    }
  }
}
