import { CfnOutput, Duration } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { WEBHOOK_PATH, type WebhookEnvironment } from '../../../lambdas/webhook/contract';
import { acknowledge } from '../../policy/acknowledge';
import type { HttpApi } from '../http-api';
import { OperationalFunction, type OperationsContext } from '../operational-function';

export interface WebhookProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** API that gets the route. */
  readonly httpApi: HttpApi;
  /** Queue that verified events are sent to. */
  readonly queue: IQueue;
  /** ARN of the secret with Stripe's signing secrets. */
  readonly signingSecretArn: string;
  /** Customer-managed key of that secret. */
  readonly signingSecretKey: IKey;
}

/**
 * The endpoint that Stripe delivers to. It runs outside the network, without a database: it verifies, enqueues and
 * answers.
 */
export class Webhook extends Construct {
  constructor(scope: Construct, id: string, props: WebhookProps) {
    super(scope, id);
    const { context, queue } = props;
    const { function: fn } = new OperationalFunction<WebhookEnvironment>(this, 'Webhook', {
      context,
      stem: 'webhook',
      description: 'Verifies Stripe webhooks and enqueues them',
      environment: {
        QUEUE_URL: queue.queueUrl,
        SIGNING_SECRET_ARN: props.signingSecretArn,
        LIVEMODE: String(context.config.stripe.livemode),
        DEFAULT_APP_ID: context.config.stripe.defaultAppId,
      },
      // Stripe waits 10 s and longer; the promise is a mean of 5 s.
      timeout: Duration.seconds(10),
      memorySize: 512,
    });
    queue.grantSendMessages(fn);
    Secret.fromSecretCompleteArn(this, 'SigningSecret', props.signingSecretArn).grantRead(fn);
    props.signingSecretKey.grantDecrypt(fn);

    acknowledge(fn, {
      nag: ['NIST.800.53.R5-LambdaConcurrency'],
      checkov: ['CKV_AWS_115'],
      reason:
        'The throttling of the API in front of it is the limit; fewer instances than that needs would refuse genuine webhooks in a burst',
    });

    const method = props.httpApi.addRoute('POST', WEBHOOK_PATH, fn);
    acknowledge(method, {
      nag: ['AwsSolutions-APIG4', 'AwsSolutions-COG4'],
      checkov: ['CKV_AWS_59'],
      reason:
        'Stripe supports none of the authorisers of API Gateway: the function authenticates each request by its signature over every byte',
    });
    new CfnOutput(this, 'Endpoint', {
      description: 'The URL to enter in the Stripe dashboard',
      value: props.httpApi.urlOf(WEBHOOK_PATH),
    });
  }
}
