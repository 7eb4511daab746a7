import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** A resource of a CloudFormation template. */
export interface Resource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
}

/** A stack of a synthesised cloud assembly. */
export interface Stack {
  readonly name: string;
  readonly region: string;
  readonly account: string;
  readonly resources: Readonly<Record<string, Resource>>;
  readonly outputs: Readonly<Record<string, { readonly Value: unknown; readonly Export?: { readonly Name: unknown } }>>;
  /** Default values of the template's parameters. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Folder of each zipped asset, by the name of its object in the assets bucket. */
  readonly assetFolders: ReadonlyMap<string, string>;
}

interface Manifest {
  readonly artifacts: Readonly<
    Record<
      string,
      {
        readonly type: string;
        readonly environment?: string;
        readonly displayName?: string;
        readonly properties?: { readonly templateFile?: string; readonly stackName?: string };
      }
    >
  >;
}

interface Template {
  readonly Resources?: Stack['resources'];
  readonly Outputs?: Stack['outputs'];
  readonly Parameters?: Readonly<Record<string, { readonly Type: string; readonly Default?: unknown }>>;
}

interface AssetManifest {
  readonly files?: Readonly<
    Record<
      string,
      {
        readonly source: { readonly path?: string };
        readonly destinations: Readonly<Record<string, { readonly objectKey: string }>>;
      }
    >
  >;
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function readAssets(directory: string, templateFile: string): Map<string, string> {
  const manifest = readJson(join(directory, templateFile.replace('.template.json', '.assets.json'))) as AssetManifest;
  const folders = new Map<string, string>();
  for (const { source, destinations } of Object.values(manifest.files ?? {})) {
    for (const { objectKey } of Object.values(destinations)) {
      if (source.path !== undefined) folders.set(basename(objectKey), join(directory, source.path));
    }
  }
  return folders;
}

/** Reads every stack of the assembly that `cdk synth` wrote to a folder. */
export function readAssembly(directory: string): Stack[] {
  const { artifacts } = readJson(join(directory, 'manifest.json')) as Manifest;
  return Object.entries(artifacts).flatMap(([id, { type, environment = '', properties }]) => {
    if (type !== 'aws:cloudformation:stack' || properties?.templateFile === undefined) return [];
    const template = readJson(join(directory, properties.templateFile)) as Template;
    const [account = '', region = ''] = environment.replace('aws://', '').split('/');
    return {
      name: properties.stackName ?? id,
      account,
      region,
      resources: template.Resources ?? {},
      outputs: template.Outputs ?? {},
      parameters: Object.fromEntries(
        // The default of an SSM parameter is the parameter's name, not the value.
        Object.entries(template.Parameters ?? {}).flatMap(([name, parameter]) =>
          parameter.Type.startsWith('AWS::SSM::') ? [] : [[name, parameter.Default]],
        ),
      ),
      assetFolders: readAssets(directory, properties.templateFile),
    };
  });
}
