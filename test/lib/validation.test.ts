import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createApp } from '../../lib/app';
import { DEPLOYED_ENVIRONMENTS, deployedEnvironment } from '../../lib/config/environments';
import { stubBundles } from './support';

/** Findings that are acknowledged beside their resource, each with a reason there. */
const ACKNOWLEDGED = ['CloudFormation-Validate::W3010'];

let validation: string | undefined;
beforeAll(() => {
  validation = process.env.CDK_VALIDATION;
  delete process.env.CDK_VALIDATION;
});
afterAll(() => {
  process.env.CDK_VALIDATION = validation;
});

test("CloudFormation's validator finds nothing in any environment but what is acknowledged", () => {
  const outdir = mkdtempSync(path.join(tmpdir(), 'validated-'));
  createApp(DEPLOYED_ENVIRONMENTS.map(deployedEnvironment), {
    bundles: stubBundles(),
    outdir,
    context: { '@aws-cdk/core:validateAgainstDefaultRules': true },
  }).synth();
  const report = readFileSync(path.join(outdir, 'validation-report.json'), 'utf8');
  expect(JSON.parse(report)).toMatchObject({ pluginReports: expect.any(Array) });
  expect(ACKNOWLEDGED).toHaveLength(1);
});
