import { CfnOutput, Duration, RemovalPolicy } from 'aws-cdk-lib';
import {
  AccessLogFormat,
  EndpointType,
  LambdaIntegration,
  LogGroupLogDestination,
  MethodLoggingLevel,
  RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { WEBHOOK_PATH, type WebhookEnvironment } from '../../../lambdas/webhook/contract';
import { acknowledge } from '../../policy/acknowledge';
import { acknowledgeManagedPolicy } from '../../policy/acknowledge-permissions';
import { removalPolicyOf } from '../../config/removal-policy';
import { OperationalFunction, type OperationsContext } from '../operational-function';
import { WebAcl } from '../web-acl';

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

    acknowledge(fn, {
      nag: ['NIST.800.53.R5-LambdaConcurrency'],
      checkov: ['CKV_AWS_115'],
      reason:
        'The throttle of the API before it is the limit; fewer instances than that takes would refuse genuine webhooks in a burst',
    });

    this.api = this.restApi(context);
    new CfnOutput(this, 'Endpoint', {
      description: 'What to enter in the Stripe dashboard',
      value: this.api.urlForPath(WEBHOOK_PATH),
    });
    const method = WEBHOOK_PATH.split('/')
      .filter((part) => part !== '')
      .reduce((resource, part) => resource.addResource(part), this.api.root)
      .addMethod('POST', new LambdaIntegration(fn, { allowTestInvoke: false }));
    acknowledge(method, {
      nag: ['AwsSolutions-APIG4', 'AwsSolutions-COG4'],
      checkov: ['CKV_AWS_59'],
      reason:
        'Stripe knows no authoriser of AWS: each request is authenticated by its signature over every byte, in the function',
    });
    if (context.config.firewall) {
      new WebAcl(this, 'Firewall', {
        config: context.config,
        stage: this.api.deploymentStage,
        logKey: context.logKey,
      });
    } else {
      acknowledge(this.api.deploymentStage, {
        nag: ['AwsSolutions-APIG3', 'NIST.800.53.R5-APIGWAssociatedWithWAF', 'PCI.DSS.321-APIGWAssociatedWithWAF'],
        reason: 'An environment may leave the firewall out; production never does, which a test says',
      });
    }
  }

  private restApi(context: OperationsContext): RestApi {
    const { config, logKey } = context;
    const logSettings = {
      retention: RetentionDays.ONE_YEAR,
      encryptionKey: logKey,
      removalPolicy: removalPolicyOf(config.removalProtection),
    };
    const api = new RestApi(this, 'Api', {
      restApiName: apiName(config.name),
      description: 'Webhooks of payment providers',
      endpointTypes: [EndpointType.REGIONAL],
      // Bodies reach the function byte for byte: the signature is over the bytes, not over the text.
      binaryMediaTypes: ['*/*'],
      // One role for the whole account and region, which API Gateway needs to write any log: it outlives this stack.
      cloudWatchRole: true,
      cloudWatchRoleRemovalPolicy: RemovalPolicy.RETAIN,
      deployOptions: {
        stageName: config.name,
        throttlingRateLimit: THROTTLING_RATE_LIMIT,
        throttlingBurstLimit: THROTTLING_BURST_LIMIT,
        tracingEnabled: true,
        metricsEnabled: true,
        // What went wrong inside of API Gateway; never what was in a request.
        loggingLevel: MethodLoggingLevel.ERROR,
        dataTraceEnabled: false,
        accessLogFormat: AccessLogFormat.jsonWithStandardFields(),
        accessLogDestination: new LogGroupLogDestination(new LogGroup(this, 'AccessLog', logSettings)),
      },
    });
    api.deploymentStage.node.addDependency(
      // Made before API Gateway makes it without an expiry.
      new LogGroup(this, 'ExecutionLog', {
        logGroupName: `API-Gateway-Execution-Logs_${api.restApiId}/${config.name}`,
        ...logSettings,
      }),
    );
    acknowledgeApi(api);
    return api;
  }
}

function acknowledgeApi(api: RestApi): void {
  acknowledgeManagedPolicy(
    api.node.findChild('CloudWatchRole'),
    'service-role/AmazonAPIGatewayPushToCloudWatchLogs',
    'The one role by which API Gateway writes the logs of every API in the account; it takes no narrower one',
  );
  acknowledge(api, {
    nag: ['AwsSolutions-APIG2'],
    reason: 'A body is bytes under a signature: the function checks the signature first, and then the form',
  });
  acknowledge(api.deploymentStage, {
    nag: [
      'NIST.800.53.R5-APIGWCacheEnabledAndEncrypted',
      'PCI.DSS.321-APIGWCacheEnabledAndEncrypted',
      'NIST.800.53.R5-APIGWSSLEnabled',
      'PCI.DSS.321-APIGWSSLEnabled',
    ],
    checkov: ['CKV_AWS_120'],
    reason:
      'An answer from a cache would be an event that is not queued; and behind the API is a function, invoked by permission, not a server that could ask for a certificate',
  });
}
