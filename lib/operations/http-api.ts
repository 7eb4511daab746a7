import { RemovalPolicy } from 'aws-cdk-lib';
import {
  AccessLogFormat,
  EndpointType,
  LambdaIntegration,
  LogGroupLogDestination,
  MethodLoggingLevel,
  RestApi,
  type Method,
} from 'aws-cdk-lib/aws-apigateway';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { EnvironmentConfig } from '../config/environment-schema';
import { removalPolicyOf } from '../config/removal-policy';
import type { Egress } from '../data/egress';
import { acknowledge } from '../policy/acknowledge';
import { acknowledgeManagedPolicy } from '../policy/acknowledge-permissions';
import { ApiDomain } from './api-domain';
import { addGatewayAnswers } from './gateway-answers';
import { WebAcl } from './web-acl';

/** Requests a second that get through; above it, Stripe is answered 429 and delivers later. The serving target is 1,000. */
const THROTTLING_RATE_LIMIT = 1_000;
/** Requests that a burst may take at once: two seconds' worth. Lower answers 429 to a burst that the queue would take. */
const THROTTLING_BURST_LIMIT = 2_000;

/** Of every method: errors inside API Gateway are logged, never the content of a request. */
const METHOD_SETTINGS = { metricsEnabled: true, loggingLevel: MethodLoggingLevel.ERROR, dataTraceEnabled: false };

export interface HttpApiProps {
  /** Names the API and its stage; says whether there is a firewall and a custom domain. */
  readonly config: EnvironmentConfig;
  /** Encrypts the access log, the execution log and the firewall's log. */
  readonly logKey: IKey;
  /** Addresses of the functions in the network, which the firewall admits beside Stripe's. @default - unknown */
  readonly egress?: Egress | undefined;
  /** Routes with a limit of their own, below that of the stage. @default - none */
  readonly limited?: readonly { readonly method: string; readonly path: string; readonly perSecond: number }[];
}

/** The `ApiName` dimension of the API's metrics. Monitoring needs only this name, not the API. */
export function apiName(environmentName: string): string {
  return `BillingOps-${environmentName}`;
}

/**
 * The one public address of the platform: API, stage, throttling, logs, firewall and custom domain. Functions add their
 * routes to it. Its logical id is pinned by a test: another id would be another API with another URL, and Stripe would
 * post to an address that no longer exists.
 */
export class HttpApi extends Construct {
  private readonly api: RestApi;
  private readonly domain: ApiDomain | undefined;

  constructor(scope: Construct, id: string, props: HttpApiProps) {
    super(scope, id);
    const { config, logKey } = props;
    this.api = this.restApi(props);
    this.domain = config.domain && new ApiDomain(this, 'Domain', { domain: config.domain, api: this.api });
    const stage = this.api.deploymentStage;
    if (config.firewall) {
      new WebAcl(this, 'WebAcl', { config, stage, logKey, egress: props.egress });
    } else {
      acknowledge(stage, {
        nag: ['AwsSolutions-APIG3', 'NIST.800.53.R5-APIGWAssociatedWithWAF', 'PCI.DSS.321-APIGWAssociatedWithWAF'],
        reason: 'An environment may switch the firewall off; a test ensures that no deployed environment does',
      });
    }
  }

  /**
   * Sends requests for one method and path to a function.
   *
   * @param path absolute, such as `/api/v1/webhooks/stripe`
   * @param scopePermissionToMethod `false` gives the function one permission for all of its routes. @default true
   * @returns the method, for the caller to acknowledge what policy tools find on it
   */
  addRoute(
    method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    fn: IFunction,
    { scopePermissionToMethod = true }: { readonly scopePermissionToMethod?: boolean } = {},
  ): Method {
    // Without a scope there is no permission for tests from the console, either.
    const integration = new LambdaIntegration(
      fn,
      scopePermissionToMethod ? { allowTestInvoke: false } : { scopePermissionToMethod },
    );
    return this.api.root.resourceForPath(path).addMethod(method, integration);
  }

  /**
   * The public URL of a path, on the custom domain where there is one.
   *
   * @param path absolute
   */
  urlOf(path: string): string {
    return this.domain ? this.domain.urlOf(path) : this.api.urlForPath(path);
  }

  private restApi({ config, logKey, limited = [] }: HttpApiProps): RestApi {
    const logSettings = {
      retention: RetentionDays.ONE_YEAR,
      encryptionKey: logKey,
      removalPolicy: removalPolicyOf(config.removalProtection),
    };
    const api = new RestApi(this, 'RestApi', {
      restApiName: apiName(config.name),
      description: 'Webhooks of payment providers, and the API',
      endpointTypes: [EndpointType.REGIONAL],
      // With a custom domain, the default address would be a second way in that nothing uses.
      disableExecuteApiEndpoint: config.domain ? true : undefined,
      // Bodies reach the function byte for byte: the signature is over the bytes, not over the text.
      binaryMediaTypes: ['*/*'],
      // API Gateway needs one role for the whole account and region to write any log: it outlives this stack.
      cloudWatchRole: true,
      cloudWatchRoleRemovalPolicy: RemovalPolicy.RETAIN,
      deployOptions: {
        stageName: config.name,
        throttlingRateLimit: THROTTLING_RATE_LIMIT,
        throttlingBurstLimit: THROTTLING_BURST_LIMIT,
        tracingEnabled: true,
        ...METHOD_SETTINGS,
        methodOptions: Object.fromEntries(
          limited.map(({ method, path, perSecond }) => [
            `${path}/${method}`,
            { ...METHOD_SETTINGS, throttlingRateLimit: perSecond, throttlingBurstLimit: perSecond },
          ]),
        ),
        accessLogFormat: AccessLogFormat.jsonWithStandardFields(),
        accessLogDestination: new LogGroupLogDestination(new LogGroup(this, 'AccessLog', logSettings)),
      },
    });
    api.deploymentStage.node.addDependency(
      // Created before API Gateway would create it without an expiry.
      new LogGroup(this, 'ExecutionLog', {
        logGroupName: `API-Gateway-Execution-Logs_${api.restApiId}/${config.name}`,
        ...logSettings,
      }),
    );
    addGatewayAnswers(api);
    acknowledgeApi(api);
    return api;
  }
}

function acknowledgeApi(api: RestApi): void {
  acknowledgeManagedPolicy(
    api.node.findChild('CloudWatchRole'),
    'service-role/AmazonAPIGatewayPushToCloudWatchLogs',
    'API Gateway writes the logs of every API in the account by this one role and accepts no narrower policy',
  );
  acknowledge(api, {
    nag: ['AwsSolutions-APIG2'],
    reason:
      'The body of a webhook is bytes under a signature: the function verifies the signature first, then the form',
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
      'A cached answer would be an event that was never queued; and the backend is a Lambda function, invoked by permission, which cannot ask for a client certificate',
  });
}
