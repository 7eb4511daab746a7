import { Duration } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Alias, type IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { API_ALIAS } from '../../../core/contract';
import {
  API_ROUTES,
  API_TIMEOUT_MS,
  BITCOIN_ROUTES,
  type ApiEnvironment,
  type ApiRoute,
} from '../../../lambdas/api/contract';
import type { EnvironmentConfig } from '../../config/environment-schema';
import type { DatabaseAccess } from '../../data/database-access';
import { acknowledge } from '../../policy/acknowledge';
import { billingDatabaseEnvironment } from '../database-connection';
import type { EntitlementCache } from '../entitlement-cache';
import type { HttpApi } from '../http-api';
import { OperationalFunction, type OperationsContext } from '../operational-function';
import { grantProviderSecret, type ProviderSecret } from '../provider-secret';

/**
 * Concurrent requests, and so connections to the database. Lower answers 429 and 500 in a burst; higher takes connections
 * that the processor needs more.
 */
const MAX_CONCURRENCY = 10;

/** A method and a path of API Gateway, with its throttle. */
type GatewayRoute = Pick<ApiRoute, 'path' | 'perSecond'> & { readonly method: ApiRoute['method'] | 'HEAD' };

/** The routes of the API and of its page as API Gateway knows them. The page's are behind one resource. */
export const GATEWAY_ROUTES: readonly GatewayRoute[] = [
  ...API_ROUTES,
  ...API_ROUTES.filter(({ isProbe }) => isProbe).map((route) => ({ ...route, method: 'HEAD' as const })),
  { method: 'GET', path: '/admin', perSecond: 20 },
  { method: 'GET', path: '/admin/{proxy+}', perSecond: 50 },
  { method: 'POST', path: '/admin/{proxy+}', perSecond: 5 },
];

/** The routes of an environment. */
export function gatewayRoutesOf({ bitcoin }: EnvironmentConfig): typeof GATEWAY_ROUTES {
  return bitcoin ? [...GATEWAY_ROUTES, ...BITCOIN_ROUTES] : GATEWAY_ROUTES;
}

export interface ApiProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** API that gets the routes. */
  readonly httpApi: HttpApi;
  /** How to reach the billing database. */
  readonly billing: DatabaseAccess;
  /** Secret that keys are hashed under. */
  readonly keySecret: ProviderSecret;
  /** Where entitlements are read first. @default - no cache */
  readonly cache?: EntitlementCache | undefined;
  /** Functions that it asks, as an operator would. */
  readonly asked: Readonly<Record<'audit' | 'entitlements' | 'inspect' | 'replay', IFunction>>;
}

/**
 * The HTTP API for applications, load balancers, Prometheus and the Stability page. Its sessions take a role that reads; what
 * changes something is asked of the function that does it for operators, too, by an alias through which that answers the API
 * only what its routes need.
 */
export class Api extends Construct {
  constructor(scope: Construct, id: string, props: ApiProps) {
    super(scope, id);
    const { context, httpApi, billing, keySecret, cache } = props;
    const asked = this.aliasesOf(props.asked);
    const { bitcoin } = context.config;
    const target = new OperationalFunction<ApiEnvironment>(this, 'Api', {
      context,
      stem: 'api',
      description: 'Answers applications, probes, Prometheus and the Stability page',
      environment: {
        ...billingDatabaseEnvironment(billing),
        CACHE_URL: cache?.url ?? '',
        API_KEY_SECRET_ARN: keySecret.arn,
        CANARY: String(context.config.canary),
        TILLED: String(context.config.tilled === true),
        REQUESTS_PER_MINUTE: String(context.config.apiRequestsPerMinute),
        AUDIT_FUNCTION_NAME: asked.audit.functionName,
        ENTITLEMENTS_FUNCTION_NAME: asked.entitlements.functionName,
        INSPECT_FUNCTION_NAME: asked.inspect.functionName,
        REPLAY_FUNCTION_NAME: asked.replay.functionName,
        BITCOIN_NETWORK: bitcoin?.network,
        BITCOIN_CONFIRMATIONS: bitcoin && String(bitcoin.confirmations),
      },
      timeout: Duration.millis(API_TIMEOUT_MS),
      memorySize: 1024,
      databases: [billing],
      reservedConcurrentExecutions: MAX_CONCURRENCY,
    });
    const fn = target.function;
    grantProviderSecret(fn, 'ApiKeySecret', keySecret);
    cache?.allowAccess(target);
    fn.addToRolePolicy(
      new PolicyStatement({
        // The aliases alone: through them the functions answer only what their contracts list for the API.
        actions: ['lambda:InvokeFunction'],
        resources: Object.values(asked).map(({ functionArn }) => functionArn),
      }),
    );
    for (const { method, path } of gatewayRoutesOf(context.config)) {
      acknowledge(httpApi.addRoute(method, path, fn, { scopePermissionToMethod: false }), {
        nag: ['AwsSolutions-APIG4', 'AwsSolutions-COG4'],
        checkov: ['CKV_AWS_59'],
        reason:
          'The function authenticates each request by its key, whose scopes, projects and revocation are in the database; probes are public and answer nothing of use',
      });
    }
  }

  /** Of the code at work, as for every other caller: the alias says who asks, not which version answers. */
  private aliasesOf(functions: ApiProps['asked']): ApiProps['asked'] {
    const aliasOf = (stem: keyof ApiProps['asked']): Alias =>
      new Alias(this, `Ask-${stem}`, { aliasName: API_ALIAS, version: functions[stem].latestVersion });
    return {
      audit: aliasOf('audit'),
      entitlements: aliasOf('entitlements'),
      inspect: aliasOf('inspect'),
      replay: aliasOf('replay'),
    };
  }
}
