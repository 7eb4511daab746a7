import { Stack } from 'aws-cdk-lib';
import type { Stage } from 'aws-cdk-lib/aws-apigateway';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { CfnIPSet, CfnLoggingConfiguration, CfnWebACL, CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import type { EnvironmentConfig } from '../config/environment-schema';
import { webhookEndpointsOf } from '../config/webhook-endpoints';
import { COUNTING_RULES, webAclName } from '../config/firewall-rules';
import { removalPolicyOf } from '../config/removal-policy';
import type { Egress } from '../data/egress';

/**
 * Requests from one address in five minutes, above which it is blocked: half of the 1,000 requests a second that the API
 * admits. Stripe sends from a dozen addresses; a flood from another one is cut off before it uses up the rest. A lower
 * limit blocks genuine events during a burst, which Stripe then delivers later.
 */
export const RATE_LIMIT_PER_ADDRESS = 150_000;

/**
 * Rules of the managed groups that inspect the body. Webhooks are authenticated by a signature over every byte, contain
 * free text of customers and may be 1 MB large; an event that is blocked here would be lost after three days. These rules
 * therefore count what they would block, and block nothing.
 */
const COUNTED_RULES = {
  AWSManagedRulesCommonRuleSet: [
    'SizeRestrictions_BODY',
    'EC2MetaDataSSRF_BODY',
    'GenericLFI_BODY',
    'GenericRFI_BODY',
    'CrossSiteScripting_BODY',
  ],
  AWSManagedRulesKnownBadInputsRuleSet: ['JavaDeserializationRCE_BODY', 'Log4JRCE_BODY', 'ReactJSRCE_BODY'],
} as const;

/**
 * Versions of the managed groups. AWS's default moves by itself, and a new rule may block genuine events at night. Look for newer
 * ones with `aws wafv2 list-available-managed-rule-group-versions`, and for an expiry: AWS announces it months ahead.
 */
const VERSIONS: Readonly<Record<keyof typeof COUNTED_RULES, string>> = {
  AWSManagedRulesCommonRuleSet: 'Version_1.19',
  AWSManagedRulesKnownBadInputsRuleSet: 'Version_1.24',
};

/** Headers with signatures and API keys, redacted so that a request cannot be replayed from the log. */
const redactedHeaders = (config: EnvironmentConfig): string[] => [
  ...webhookEndpointsOf(config).map(({ signatureHeader }) => signatureHeader.toLowerCase()),
  'authorization',
];

export interface WebAclProps {
  /** Names the firewall; has the addresses that Stripe delivers from. */
  readonly config: EnvironmentConfig;
  /** Stage of the API that the firewall protects. */
  readonly stage: Stage;
  /** Encrypts the log. */
  readonly logKey: IKey;
  /** Where the canary comes from where only listed addresses are admitted. @default - unknown */
  readonly egress?: Egress | undefined;
}

/** The firewall in front of the API. */
export class WebAcl extends Construct {
  constructor(scope: Construct, id: string, props: WebAclProps) {
    super(scope, id);
    const { config } = props;
    const name = webAclName(config.name);
    const { webhookAddresses } = config.stripe;
    const rules = [
      countingRule(COUNTING_RULES.arriving, config),
      ...(webhookAddresses.length > 0
        ? [this.onlyFrom(webhookAddresses, name, config.canary ? props.egress : undefined)]
        : []),
      rateRule(),
      ...(Object.keys(COUNTED_RULES) as (keyof typeof COUNTED_RULES)[]).map(managedRules),
      countingRule(COUNTING_RULES.admitted, config),
    ];
    const acl = new CfnWebACL(this, 'Acl', {
      name,
      description: 'Webhooks of payment providers, and the API',
      scope: 'REGIONAL',
      defaultAction: { allow: {} },
      // The name, because WAF reserves `All` and `Default_Action`.
      visibilityConfig: visibility(name),
      rules: rules.map((rule, priority) => ({ ...rule, priority })),
    });
    new CfnWebACLAssociation(this, 'Association', { webAclArn: acl.attrArn, resourceArn: props.stage.stageArn });

    const log = new LogGroup(this, 'Log', {
      // WAF requires the prefix. The suffix is another for each firewall: the log outlives it, and must not block the log of
      // the next one.
      logGroupName: `aws-waf-logs-${name}-${acl.attrId}`,
      retention: RetentionDays.ONE_YEAR,
      encryptionKey: props.logKey,
      removalPolicy: removalPolicyOf(config.removalProtection),
    });
    new CfnLoggingConfiguration(this, 'Logging', {
      resourceArn: acl.attrArn,
      logDestinationConfigs: [
        Stack.of(this).formatArn({
          service: 'logs',
          resource: `log-group:${log.logGroupName}`,
        }),
      ],
      redactedFields: redactedHeaders(config).map((Name) => ({ singleHeader: { Name } })),
      // Allowed requests are in the access log.
      loggingFilter: {
        DefaultBehavior: 'DROP',
        Filters: [
          {
            Behavior: 'KEEP',
            Requirement: 'MEETS_ANY',
            Conditions: ['BLOCK', 'COUNT', 'EXCLUDED_AS_COUNT'].map((Action) => ({ ActionCondition: { Action } })),
          },
        ],
      },
    });
  }

  private onlyFrom(addresses: readonly string[], name: string, egress: Egress | undefined): AclRule {
    const set = new CfnIPSet(this, 'WebhookAddresses', {
      name: `${name}-webhooks`,
      description: 'Addresses that webhooks are delivered from',
      scope: 'REGIONAL',
      ipAddressVersion: 'IPV4',
      addresses: [...addresses, ...(egress && 'addresses' in egress ? egress.addresses : [])],
    });
    const statements = [set.attrArn, ...(egress && 'ipSetArn' in egress ? [egress.ipSetArn] : [])].map(ofSet);
    return {
      name: 'only-from-stripe',
      action: { block: {} },
      statement: {
        andStatement: {
          statements: [
            TO_WEBHOOKS,
            {
              notStatement: { statement: statements.length > 1 ? { orStatement: { statements } } : ofSet(set.attrArn) },
            },
          ],
        },
      },
      visibilityConfig: visibility('OnlyFromStripe'),
    };
  }
}

/** Part of every path that providers deliver to, and of no other: applications call the API from anywhere, with keys. */
const WEBHOOKS = '/webhooks/';

/** However the path is written: API Gateway decodes it before it looks for the route. */
const TO_WEBHOOKS = {
  byteMatchStatement: {
    fieldToMatch: { uriPath: {} },
    positionalConstraint: 'CONTAINS',
    searchString: WEBHOOKS,
    textTransformations: [
      { priority: 0, type: 'URL_DECODE' },
      { priority: 1, type: 'NORMALIZE_PATH' },
    ],
  },
};

const ofSet = (arn: string) => ({ ipSetReferenceStatement: { arn } });

type AclRule = Omit<CfnWebACL.RuleProperty, 'priority'>;

function rateRule(): AclRule {
  return {
    name: 'rate-per-address',
    action: { block: { customResponse: { responseCode: 429 } } },
    statement: {
      rateBasedStatement: { aggregateKeyType: 'IP', limit: RATE_LIMIT_PER_ADDRESS, evaluationWindowSec: 300 },
    },
    visibilityConfig: visibility('RatePerAddress'),
  };
}

/** Counts requests that carry a signature to the endpoint of its provider. */
function countingRule(name: string, config: EnvironmentConfig): AclRule {
  const deliveries = webhookEndpointsOf(config).map(({ path, signatureHeader }) => ({
    andStatement: {
      statements: [
        {
          byteMatchStatement: {
            fieldToMatch: { uriPath: {} },
            // The path of the request begins with the stage, or not where there is a custom domain.
            positionalConstraint: 'ENDS_WITH',
            searchString: path,
            textTransformations: [{ priority: 0, type: 'NONE' }],
          },
        },
        {
          sizeConstraintStatement: {
            fieldToMatch: { singleHeader: { Name: signatureHeader.toLowerCase() } },
            comparisonOperator: 'GT',
            size: 0,
            textTransformations: [{ priority: 0, type: 'NONE' }],
          },
        },
      ],
    },
  }));
  const [only, ...others] = deliveries;
  return {
    name,
    action: { count: {} },
    statement: only && others.length === 0 ? only : { orStatement: { statements: deliveries } },
    visibilityConfig: visibility(name),
  };
}

function managedRules(group: keyof typeof COUNTED_RULES): AclRule {
  return {
    name: group,
    overrideAction: { none: {} },
    statement: {
      managedRuleGroupStatement: {
        vendorName: 'AWS',
        name: group,
        version: VERSIONS[group],
        ruleActionOverrides: COUNTED_RULES[group].map((rule) => ({ name: rule, actionToUse: { count: {} } })),
      },
    },
    visibilityConfig: visibility(group),
  };
}

function visibility(metricName: string): CfnWebACL.VisibilityConfigProperty {
  // Samples would show whole requests, including their signatures.
  return { metricName, cloudWatchMetricsEnabled: true, sampledRequestsEnabled: false };
}
