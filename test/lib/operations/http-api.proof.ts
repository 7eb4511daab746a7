import { defineEnvironment, type EnvironmentInput } from '../../../lib/config/environment-schema';
import { exampleEnvironment } from '../../support/example-environments';
import { resourceLike, resourcesOf, templatesOf } from '../support';
import { synthesise } from '../synthesise';

const CERTIFICATE = 'arn:aws:acm:eu-central-1:111111111111:certificate/0f0f0f0f-1111-2222-3333-444444444444';
const ZONE = { id: 'Z0123456789ABC', name: 'example.com' };

type Domain = NonNullable<EnvironmentInput['domain']>;
const domain = (hostedZone: Domain['hostedZone']): Domain => ({
  name: 'billing.example.com',
  certificateArn: CERTIFICATE,
  hostedZone,
});

function operationsWith(hostedZone: Domain['hostedZone']) {
  return synthesise(defineEnvironment({ ...exampleEnvironment('dev'), domain: domain(hostedZone) })).operations;
}

interface Outputs {
  readonly Outputs: Record<string, { readonly Value: unknown }>;
}

function outputLike(template: ReturnType<typeof operationsWith>, word: string): unknown {
  const { Outputs: outputs } = template.toJSON() as Outputs;
  const [found, ...others] = Object.entries(outputs).filter(([id]) => id.startsWith(word));
  if (!found || others.length > 0) throw new Error(`Expected one output like ${word}`);
  return found[1].Value;
}

describe.each([
  ['in a hosted zone', ZONE],
  ['of external DNS', 'external'],
] as const)('a domain %s', (_, hostedZone) => {
  const operations = operationsWith(hostedZone);

  test('answers regionally, by its certificate, with TLS 1.2 or newer', () => {
    expect(resourceLike(operations, 'AWS::ApiGateway::DomainName', 'HttpApiDomain').Properties).toMatchObject({
      DomainName: 'billing.example.com',
      RegionalCertificateArn: CERTIFICATE,
      EndpointConfiguration: { Types: ['REGIONAL'] },
      SecurityPolicy: 'TLS_1_2',
    });
  });

  test('leads to the stage without a path of its own', () => {
    const [stage = ''] = Object.keys(resourcesOf(operations, 'AWS::ApiGateway::Stage'));
    const { Properties } = resourceLike(operations, 'AWS::ApiGateway::BasePathMapping', '');
    expect(Properties).toMatchObject({ Stage: { Ref: stage } });
    expect(Properties).not.toHaveProperty('BasePath');
  });

  test('switches the default address of the API off', () => {
    expect(resourceLike(operations, 'AWS::ApiGateway::RestApi', '').Properties).toMatchObject({
      DisableExecuteApiEndpoint: true,
    });
  });

  test('is the URL to enter at Stripe', () => {
    expect(outputLike(operations, 'WebhookStripeEndpoint')).toBe('https://billing.example.com/api/v1/webhooks/stripe');
  });
});

test('a hosted zone gets an alias record of the domain', () => {
  const operations = operationsWith(ZONE);
  const [name = ''] = Object.keys(resourcesOf(operations, 'AWS::ApiGateway::DomainName'));
  expect(resourceLike(operations, 'AWS::Route53::RecordSet', '').Properties).toEqual({
    Name: 'billing.example.com.',
    Type: 'A',
    HostedZoneId: ZONE.id,
    AliasTarget: {
      DNSName: { 'Fn::GetAtt': [name, 'RegionalDomainName'] },
      HostedZoneId: { 'Fn::GetAtt': [name, 'RegionalHostedZoneId'] },
    },
  });
});

test('external DNS gets no record, but the target of the CNAME as an output', () => {
  const operations = operationsWith('external');
  const [name = ''] = Object.keys(resourcesOf(operations, 'AWS::ApiGateway::DomainName'));
  expect(resourcesOf(operations, 'AWS::Route53::RecordSet')).toEqual({});
  expect(outputLike(operations, 'HttpApiDomainCnameTarget')).toEqual({ 'Fn::GetAtt': [name, 'RegionalDomainName'] });
});

test('without a domain, the API answers at its default address', () => {
  const { operations } = templatesOf('production');
  expect(resourcesOf(operations, 'AWS::ApiGateway::DomainName')).toEqual({});
  expect(resourceLike(operations, 'AWS::ApiGateway::RestApi', '').Properties).not.toHaveProperty(
    'DisableExecuteApiEndpoint',
  );
  expect(JSON.stringify(outputLike(operations, 'WebhookStripeEndpoint'))).toContain('.execute-api.');
});

describe('a domain is refused by field', () => {
  const refused = (change: Partial<Record<keyof Domain, unknown>>) => () =>
    defineEnvironment({
      ...exampleEnvironment('dev'),
      domain: { ...domain(ZONE), ...change } as unknown as Domain,
    });

  test.each<[string, Partial<Record<keyof Domain, unknown>>, string]>([
    [
      'whose certificate is in the region of CloudFront',
      { certificateArn: CERTIFICATE.replace('eu-central-1', 'us-east-1') },
      'domain.certificateArn must be a certificate of account 111111111111 in eu-central-1, where the API is, got "arn:aws:acm:us-east-1',
    ],
    [
      'whose certificate is of another account',
      { certificateArn: CERTIFICATE.replace('111111111111', '999999999999') },
      'domain.certificateArn must be a certificate of account 111111111111 in eu-central-1',
    ],
    [
      'whose certificate is not one of ACM',
      { certificateArn: 'arn:aws:iam::111111111111:server-certificate/billing' },
      'domain.certificateArn must be the ARN of an ACM certificate, got "arn:aws:iam',
    ],
    [
      'outside its hosted zone',
      { name: 'billing.notexample.com' },
      'domain.name must be example.com or end in .example.com, the name of its hosted zone, got "billing.notexample.com"',
    ],
    [
      'that is a URL',
      { name: 'https://billing.example.com' },
      'domain.name must be a domain name in lower case such as `billing.example.com`, got "https://billing.example.com"',
    ],
    [
      'with half a hosted zone',
      { hostedZone: { id: 'Z0123456789ABC' } },
      'domain.hostedZone must be `external`, or { id, name } of a hosted zone',
    ],
    ['without DNS', { hostedZone: undefined }, 'domain.hostedZone must be `external`, or { id, name }'],
  ])('%s', (_, change, message) => {
    expect(refused(change)).toThrow(`environment \`dev\`: ${message}`);
  });

  test('and accepted when its name is that of the zone', () => {
    expect(refused({ name: 'example.com' })).not.toThrow();
  });
});
