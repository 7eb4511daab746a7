import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { createApp } from '../../lib/app';
import type { EnvironmentConfig } from '../../lib/config/environment-schema';
import type { Bundle } from '../../lib/operations/bundles';
import { ALL_FUNCTIONS, type Synthesised } from './support';

/** Bundles whose code is never run, because the tests only inspect templates. */
export function stubBundles(): Bundle[] {
  const root = mkdtempSync(path.join(tmpdir(), 'stub-bundles-'));
  return ALL_FUNCTIONS.map((name) => {
    const folder = path.join(root, name);
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'index.js'), `exports.handler = () => '${name}';\n`);
    return { name, folder, bytes: 0 };
  });
}

/** The templates of an environment that only one test file uses; see `templatesOf` for the named ones. */
export function synthesise(config: EnvironmentConfig): Synthesised {
  return synthesiseWithNotes(config).templates;
}

/** The same, and what the Operations stack says at synthesis. */
export function synthesiseWithNotes(config: EnvironmentConfig): {
  readonly templates: Synthesised;
  readonly notes: readonly unknown[];
} {
  const app = createApp([config], { bundles: stubBundles(), context: { 'aws:cdk:bundling-stacks': [] } });
  const assembly = app.synth();
  const stack = (part: string) => assembly.getStackByName(`BillingOps-${config.name}-${part}`);
  const template = (part: string) => Template.fromJSON(stack(part).template as Record<string, unknown>);
  const templates = {
    data: template('Data'),
    operations: template('Operations'),
    monitoring: template('Monitoring'),
    recovery: config.secondRegion === undefined ? undefined : template('Recovery'),
  };
  return { templates, notes: stack('Operations').messages.map(({ entry }) => entry.data) };
}
