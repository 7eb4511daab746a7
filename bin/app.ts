import { App } from 'aws-cdk-lib';
import * as z from 'zod';
import { createApp } from '../lib/app';
import { selectEnvironments } from '../lib/config/environments';

try {
  // The CDK's command line passes `-c env=…` through the process environment, which an `App` reads.
  const selected: unknown = new App({ autoSynth: false }).node.tryGetContext('env');
  createApp(selectEnvironments(z.string().optional().parse(selected), process.env.CDK_DEFAULT_ACCOUNT)).synth();
} catch (error) {
  // The reason alone: a stack trace would push it off the screen. With `--debug`, the CDK's command line sets this variable.
  console.error(error instanceof Error && process.env.CDK_DEBUG !== 'true' ? error.message : error);
  process.exitCode = 1;
}
