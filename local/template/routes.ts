import type { Resource } from './assembly';
import type { Properties } from './properties';

export interface Route {
  /** `POST`, or `ANY`. */
  readonly method: string;
  /** As API Gateway writes it: `/api/{id}`, `/{proxy+}`. */
  readonly path: string;
  readonly functionArn: string;
}

export interface RestApi {
  readonly routes: readonly Route[];
  /** Content types whose bodies reach the function base64-encoded; with `*` for any part. */
  readonly binaryMediaTypes: readonly string[];
}

type ReadAll = <T>(type: string, read: (properties: Properties, resource: Resource) => T) => T[];

/** Joins the API's resources, each of which knows its parent, and its methods to routes. */
export function readRoutes(all: ReadAll): RestApi {
  const resources = new Map(
    all('AWS::ApiGateway::Resource', (properties) => [
      properties.logicalId,
      { parent: properties.text('ParentId'), part: properties.text('PathPart') },
    ]),
  );
  const pathOf = (id: string): string => {
    const resource = resources.get(id);
    return resource === undefined ? '' : `${pathOf(resource.parent)}/${resource.part}`;
  };
  const methods = all('AWS::ApiGateway::Method', (properties) => ({
    method: properties.text('HttpMethod'),
    path: pathOf(properties.text('ResourceId')) || '/',
    type: properties.optionalText('Integration.Type'),
    uri: () => properties.text('Integration.Uri'),
  }));
  return {
    routes: methods
      .filter(({ type }) => type === 'AWS_PROXY')
      .map(({ method, path, uri }) => {
        const functionArn = /functions\/(.+)\/invocations$/.exec(uri())?.[1];
        if (functionArn === undefined)
          throw new Error(`The integration of ${method} ${path} is not a Lambda function.`);
        return { method, path, functionArn };
      }),
    binaryMediaTypes: all(
      'AWS::ApiGateway::RestApi',
      (properties) => (properties.value('BinaryMediaTypes') ?? []) as string[],
    ).flat(),
  };
}
