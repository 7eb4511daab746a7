/** Environment variables of a synthesis in tests. */
export const SYNTHESIS_SETTINGS: Readonly<Record<string, string>> = {
  // One test keeps CloudFormation's validator on; the others save its time (see aws-cdk-lib/core validation).
  CDK_VALIDATION: 'false',
  // No test reads where a construct was created, and finding that out takes 40 % of a synthesis.
  CDK_CONTEXT_JSON: JSON.stringify({
    'aws:cdk:disable-stack-trace': true,
    'aws:cdk:disable-creation-stack-traces': true,
  }),
};
