import { Fn, Stack } from 'aws-cdk-lib';
import type { Stage } from 'aws-cdk-lib/aws-apigateway';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { CfnIPSet, CfnLoggingConfiguration, CfnWebACL, CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import type { EnvironmentConfig } from '../config/environment-schema';
import { removalPolicyOf } from '../config/removal-policy';

/**
 * Requests of one address in five minutes, above which it is refused. Stripe sends from a dozen addresses, so that each
 * of them may bring half of the 1,000 requests a second that the API lets through; a flood from one other address is cut
 * off before it has used up the rest. Lower refuses genuine events during a burst, which Stripe then delivers later.
 */
export const RATE_LIMIT_PER_ADDRESS = 150_000;

/**
 * Rules that look into the body, of AWS's groups that are used. Webhooks are authenticated by a signature over every
 * byte, carry whatever customers typed, and may be 1 MB: refused here, an event would be lost after three days. So these
 * rules count what they would have refused, and refuse nothing.
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

/** Header with the signature: whoever reads the log must not be able to send a request again. */
const REDACTED_HEADER = 'stripe-signature';

export interface WebAclProps {
  readonly config: EnvironmentConfig;
  readonly stage: Stage;
  /** Encrypts the log. */
  readonly logKey: IKey;
}

/** The firewall before the API. */
export class WebAcl extends Construct {
  constructor(scope: Construct, id: string, props: WebAclProps) {
    super(scope, id);
    const { config } = props;
    const name = `BillingOps-${config.name}`;
    const { webhookAddresses } = config.stripe;
    const rules = [
      ...(webhookAddresses.length > 0 ? [this.onlyFrom(webhookAddresses, name)] : []),
      rateRule(),
      ...Object.entries(COUNTED_RULES).map(([group, counted]) => managedRules(group, counted)),
    ];
    const acl = new CfnWebACL(this, 'Acl', {
      name,
      description: 'Webhooks of payment providers',
      scope: 'REGIONAL',
      defaultAction: { allow: {} },
      visibilityConfig: visibility('All'),
      rules: rules.map((rule, priority) => ({ ...rule, priority })),
    });
    new CfnWebACLAssociation(this, 'Association', { webAclArn: acl.attrArn, resourceArn: props.stage.stageArn });

    const log = new LogGroup(this, 'Log', {
      // WAF takes no other beginning. The end is of this stack alone: the log outlives it, and must not keep the next one
      // from being made.
      logGroupName: `aws-waf-logs-${name}-${idOf(Stack.of(this))}`,
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
      redactedFields: [{ singleHeader: { Name: REDACTED_HEADER } }],
      // What was allowed is in the access log.
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

  private onlyFrom(addresses: readonly string[], name: string): AclRule {
    const set = new CfnIPSet(this, 'WebhookAddresses', {
      name: `${name}-webhooks`,
      description: 'Addresses that Stripe delivers from',
      scope: 'REGIONAL',
      ipAddressVersion: 'IPV4',
      addresses: [...addresses],
    });
    return {
      name: 'only-from-stripe',
      action: { block: {} },
      statement: { notStatement: { statement: { ipSetReferenceStatement: { arn: set.attrArn } } } },
      visibilityConfig: visibility('OnlyFromStripe'),
    };
  }
}

/** A part of the id that CloudFormation gives a stack when it is made, and never again. */
function idOf(stack: Stack): string {
  const uuid = Fn.select(2, Fn.split('/', stack.stackId));
  return Fn.select(4, Fn.split('-', uuid));
}

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

function managedRules(group: string, counted: readonly string[]): AclRule {
  return {
    name: group,
    overrideAction: { none: {} },
    statement: {
      managedRuleGroupStatement: {
        vendorName: 'AWS',
        name: group,
        ruleActionOverrides: counted.map((rule) => ({ name: rule, actionToUse: { count: {} } })),
      },
    },
    visibilityConfig: visibility(group),
  };
}

function visibility(metricName: string): CfnWebACL.VisibilityConfigProperty {
  // Samples show whole requests, with their signatures.
  return { metricName, cloudWatchMetricsEnabled: true, sampledRequestsEnabled: false };
}
