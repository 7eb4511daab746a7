import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createApp } from '../../../lib/app';
import type { DomainConfig, EnvironmentConfig } from '../../../lib/config/environment-schema';
import { exampleEnvironment } from '../../support/example-environments';
import { stubBundles } from '../synthesise';

/** Findings that are acknowledged beside their resource, where the reason is. */
const ACKNOWLEDGED = ['CloudFormation-Validate::W3010'];

interface Report {
  readonly pluginReports: readonly {
    readonly conclusion: string;
    readonly violations: readonly unknown[];
    readonly suppressedViolations?: readonly { readonly acknowledgedId: string; readonly reason: string }[];
  }[];
}

/** A deployed environment with a custom domain, so that its resources are validated as well. */
function withDomain(name: 'dev' | 'production', hostedZone: DomainConfig['hostedZone']): EnvironmentConfig {
  const config = exampleEnvironment(name);
  const certificateArn = `arn:aws:acm:${config.region}:${config.account}:certificate/0f0f0f0f-1111-2222-3333-444444444444`;
  return { ...config, domain: { name: `${name}.example.com`, certificateArn, hostedZone } };
}

const before = process.env.CDK_VALIDATION;
let outdir: string;

beforeAll(() => {
  // Every other test switches the validator off, which takes most of the time of a synthesis.
  delete process.env.CDK_VALIDATION;
  outdir = mkdtempSync(path.join(tmpdir(), 'validated-'));
});
afterAll(() => {
  process.env.CDK_VALIDATION = before;
  rmSync(outdir, { recursive: true, force: true });
});

test('the validator of CloudFormation finds nothing that is not acknowledged with a reason', () => {
  const environments = [
    withDomain('dev', { id: 'Z0123456789ABC', name: 'example.com' }),
    withDomain('production', 'external'),
  ];
  createApp(environments, {
    bundles: stubBundles(),
    outdir,
    context: { '@aws-cdk/core:validateAgainstDefaultRules': true },
  }).synth();
  const report = JSON.parse(readFileSync(path.join(outdir, 'validation-report.json'), 'utf8')) as Report;
  expect(report.pluginReports).toHaveLength(1);
  expect(report.pluginReports[0]).toMatchObject({ conclusion: 'success', violations: [] });
  const suppressed = report.pluginReports.flatMap(({ suppressedViolations }) => suppressedViolations ?? []);
  expect([...new Set(suppressed.map(({ acknowledgedId }) => acknowledgedId))]).toEqual(ACKNOWLEDGED);
  expect(suppressed.filter(({ reason }) => reason.length < 20)).toEqual([]);
});
