import { CfnOutput, Duration, RemovalPolicy } from 'aws-cdk-lib';
import {
  AccessLogFormat,
  EndpointType,
  LambdaIntegration,
  LogGroupLogDestination,
  RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { WEBHOOK_PATH, type WebhookEnvironment } from '../../lambdas/webhook/contract';
import { removalPolicyOf } from '../config/removal-policy';
import { OperationalFunction, type OperationsContext } from './operational-function';
import { WebAcl } from './web-acl';

/** Requests a second that get through; above it, Stripe is answered 429 and delivers later. The target is 1,000 (G4). */
const THROTTLING_RATE_LIMIT = 1_000;
const THROTTLING_BURST_LIMIT = 2_000;

export interface WebhookProps {
  readonly context: OperationsContext;
  readonly queue: IQueue;
  readonly signingSecretArn: string;
  readonly signingSecretKey: IKey;
}

/** Name of the API, for whoever only watches it. */
export function apiName(environmentName: string): string {
  return `BillingOps-${environmentName}`;
}

/** The endpoint that Stripe delivers to. Outside the network, with no database: it verifies, enqueues and answers. */
export class Webhook extends Construct {
  readonly api: RestApi;

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

    this.api = this.restApi(context);
    new CfnOutput(this, 'Endpoint', {
      description: 'What to enter in the Stripe dashboard',
      value: this.api.urlForPath(WEBHOOK_PATH),
    });
    WEBHOOK_PATH.split('/')
      .filter((part) => part !== '')
      .reduce((resource, part) => resource.addResource(part), this.api.root)
      .addMethod('POST', new LambdaIntegration(fn, { allowTestInvoke: false }));
    if (context.config.firewall) {
      new WebAcl(this, 'Firewall', { config: context.config, stage: this.api.deploymentStage });
    }
  }

  private restApi(context: OperationsContext): RestApi {
    const removalPolicy = removalPolicyOf(context.config.removalProtection);
    return new RestApi(this, 'Api', {
      restApiName: apiName(context.config.name),
      description: 'Webhooks of payment providers',
      endpointTypes: [EndpointType.REGIONAL],
      // Bodies reach the function byte for byte: the signature is over the bytes, not over the text.
      binaryMediaTypes: ['*/*'],
      // One role for the whole account and region, which API Gateway needs to write any log: it outlives this stack.
      cloudWatchRole: true,
      cloudWatchRoleRemovalPolicy: RemovalPolicy.RETAIN,
      deployOptions: {
        stageName: context.config.name,
        throttlingRateLimit: THROTTLING_RATE_LIMIT,
        throttlingBurstLimit: THROTTLING_BURST_LIMIT,
        tracingEnabled: true,
        metricsEnabled: true,
        accessLogFormat: AccessLogFormat.jsonWithStandardFields(),
        accessLogDestination: new LogGroupLogDestination(
          new LogGroup(this, 'AccessLog', { retention: RetentionDays.ONE_YEAR, removalPolicy }),
        ),
      },
    });
  }
}
