import { CfnOutput } from 'aws-cdk-lib';
import { DomainName, EndpointType, SecurityPolicy, type RestApi } from 'aws-cdk-lib/aws-apigateway';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { ARecord, HostedZone, RecordTarget } from 'aws-cdk-lib/aws-route53';
import { ApiGatewayDomain } from 'aws-cdk-lib/aws-route53-targets';
import { Construct } from 'constructs';
import type { DomainConfig } from '../config/environment-schema';

export interface ApiDomainProps {
  /** Name, certificate and DNS of the domain. */
  readonly domain: DomainConfig;
  /** API whose stage answers at the root of the domain. */
  readonly api: RestApi;
}

/**
 * A domain name of the company's own in front of the API. The address that Stripe posts to then outlives the API: a new
 * one takes over the same name.
 */
export class ApiDomain extends Construct {
  private readonly name: string;

  constructor(scope: Construct, id: string, props: ApiDomainProps) {
    super(scope, id);
    const { domain, api } = props;
    this.name = domain.name;
    const domainName = new DomainName(this, 'DomainName', {
      domainName: domain.name,
      certificate: Certificate.fromCertificateArn(this, 'Certificate', domain.certificateArn),
      endpointType: EndpointType.REGIONAL,
      // On a regional endpoint this policy negotiates TLS 1.2 and 1.3.
      securityPolicy: SecurityPolicy.TLS_1_2,
    });
    domainName.addBasePathMapping(api);
    if (domain.hostedZone === 'external') {
      new CfnOutput(this, 'CnameTarget', {
        description: `Point ${domain.name} here by a CNAME record`,
        value: domainName.domainNameAliasDomainName,
      });
      return;
    }
    const { id: hostedZoneId, name: zoneName } = domain.hostedZone;
    new ARecord(this, 'Record', {
      zone: HostedZone.fromHostedZoneAttributes(this, 'HostedZone', { hostedZoneId, zoneName }),
      recordName: `${domain.name}.`,
      target: RecordTarget.fromAlias(new ApiGatewayDomain(domainName)),
    });
  }

  /**
   * The URL of a path of the API.
   *
   * @param path absolute
   */
  urlOf(path: string): string {
    return `https://${this.name}${path}`;
  }
}
