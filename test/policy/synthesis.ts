import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CfnResource, type App } from 'aws-cdk-lib';
import { createApp } from '../../lib/app';
import { rehearsalEnvironment } from '../../lib/config/built-environments';
import { bitcoinEnvironment, EXAMPLES, exampleEnvironment } from '../support/example-environments';
import { rehearsalOptions } from '../lib/support';
import { stubBundles } from '../lib/synthesise';

const ENDING = '.template.json';

/** All that is ever deployed, production with what is optional. The one for rehearsals has neither a network nor databases of its own. */
export const ENVIRONMENTS = [
  ...EXAMPLES.map((name) => (name === 'production' ? bitcoinEnvironment() : exampleEnvironment(name))),
  rehearsalEnvironment(rehearsalOptions()),
];

export interface Synthesis {
  readonly app: App;
  /** Folder with the templates, and with the report of the validator of every synthesis. */
  readonly folder: string;
  /** Folder with the same templates, in which nothing is acknowledged. */
  readonly plainFolder: string;
  /** Path in the tree of constructs of each resource, by `<name of the template>/<logical id>`. */
  readonly paths: ReadonlyMap<string, string>;
}

interface Templated {
  readonly Resources: Record<string, { Metadata?: Record<string, unknown> }>;
}

/** Every stack of every environment that is deployed, as `cdk deploy` would send it. */
export function synthesiseAll(root: string): Synthesis {
  const folder = path.join(root, 'templates');
  const app = createApp(ENVIRONMENTS, {
    bundles: stubBundles(),
    outdir: folder,
    context: {
      '@aws-cdk/core:validateAgainstDefaultRules': true,
      // As the CDK's command line sets it.
      'aws:cdk:enable-path-metadata': true,
    },
  });
  app.synth();
  const plainFolder = path.join(root, 'plain');
  mkdirSync(plainFolder);
  for (const file of readdirSync(folder).filter((name) => name.endsWith(ENDING))) {
    const template = JSON.parse(readFileSync(path.join(folder, file), 'utf8')) as Templated;
    for (const { Metadata } of Object.values(template.Resources)) {
      if (!Metadata) continue;
      delete Metadata.checkov;
      delete Metadata['cfn-lint'];
    }
    writeFileSync(path.join(plainFolder, file), JSON.stringify(template, undefined, 1));
  }
  return { app, folder, plainFolder, paths: pathsOf(app) };
}

function pathsOf(app: App): Map<string, string> {
  const resources = app.node.findAll().filter((construct) => CfnResource.isCfnResource(construct));
  return new Map(
    resources.map((resource) => [
      `${resource.stack.stackName}/${String(resource.stack.resolve(resource.logicalId))}`,
      resource.node.path,
    ]),
  );
}

/** Path in the tree of a resource that a tool names by its template and logical id. */
export function pathOf({ paths }: Synthesis, templateFile: string, logicalId: string): string {
  const stack = path.basename(templateFile, ENDING);
  return paths.get(`${stack}/${logicalId}`) ?? `${stack}/${logicalId}`;
}
