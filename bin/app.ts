import { App } from 'aws-cdk-lib';
import * as z from 'zod';
import { createApp } from '../lib/app';
import { DEPLOYED_ENVIRONMENTS, deployedEnvironment } from '../lib/config/environments';

// The CDK's command line passes `-c env=…` through the process environment, which an `App` reads.
const selected: unknown = new App({ autoSynth: false }).node.tryGetContext('env');
const names = selected === undefined ? DEPLOYED_ENVIRONMENTS : [z.string().parse(selected)];
createApp(names.map(deployedEnvironment)).synth();
