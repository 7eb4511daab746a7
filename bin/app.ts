import { App } from 'aws-cdk-lib';
import * as z from 'zod';
import { createApp } from '../lib/app';
import { selectEnvironments } from '../lib/config/select-environments';
import { assertTemplatesFit } from '../lib/stacks/template-limits';

try {
  // The CDK's command line passes `-c env=…` through the process environment, which an `App` reads.
  const { node } = new App({ autoSynth: false });
  const context = (name: string) => z.string().optional().parse(node.tryGetContext(name));
  const environments = selectEnvironments({
    selected: context('env'),
    folder: context('environments'),
    credentialsAccount: process.env.CDK_DEFAULT_ACCOUNT,
  });
  assertTemplatesFit(createApp(environments).synth());
} catch (error) {
  // The reason alone: a stack trace would push it off the screen. With `--debug`, the CDK's command line sets this variable.
  console.error(error instanceof Error && process.env.CDK_DEBUG !== 'true' ? error.message : error);
  process.exitCode = 1;
}
