import type { Resource } from './assembly';
import type { Properties } from './properties';

export interface Route {
  /** `POST`, or `ANY`. */
  readonly method: string;
  /** As API Gateway writes it: `/api/{id}`, `/{proxy+}`. */
  readonly path: string;
  readonly functionArn: string;
}

/** An answer that API Gateway makes itself. */
export interface GatewayAnswer {
  /** @default that of the case */
  readonly status: number | undefined;
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export interface RestApi {
  readonly routes: readonly Route[];
  /** What API Gateway answers itself, by its name of the case, such as `THROTTLED`. @default its own answers */
  readonly answers?: Readonly<Record<string, GatewayAnswer>>;
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
    answers: Object.fromEntries(
      all('AWS::ApiGateway::GatewayResponse', (properties) => [properties.text('ResponseType'), answerOf(properties)]),
    ),
    binaryMediaTypes: all(
      'AWS::ApiGateway::RestApi',
      (properties) => (properties.value('BinaryMediaTypes') ?? []) as string[],
    ).flat(),
  };
}

const HEADER = 'gatewayresponse.header.';

function answerOf(properties: Properties): GatewayAnswer {
  const parameters = (properties.value('ResponseParameters') ?? {}) as Readonly<Record<string, string>>;
  const templates = (properties.value('ResponseTemplates') ?? {}) as Readonly<Record<string, string>>;
  return {
    status: properties.number('StatusCode'),
    // Literals stand between single quotes.
    headers: Object.fromEntries(
      Object.entries(parameters).map(([name, value]) => [name.slice(HEADER.length).toLowerCase(), value.slice(1, -1)]),
    ),
    body: templates['application/json'],
  };
}
