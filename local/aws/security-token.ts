import type { IncomingMessage } from 'node:http';
import { readBody, startHttpServer, type HttpServer } from '../runtime/http-server';

/** Account in the ARNs of this machine. */
const ACCOUNT = '000000000000';
const MAX_REQUEST_BYTES = 65_536;
const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';

/**
 * Serves the one action of STS that a caller asks who it is with: a user of the name of its access key.
 *
 * @see https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
 */
export function startSecurityTokenService(): Promise<HttpServer> {
  return startHttpServer(async (request, response) => {
    const action = new URLSearchParams((await readBody(request, MAX_REQUEST_BYTES))?.toString('utf8')).get('Action');
    const user = userOf(request);
    response.setHeader('content-type', 'text/xml');
    if (action !== 'GetCallerIdentity' || user === undefined) {
      const [code, message] =
        user === undefined
          ? ['MissingAuthenticationToken', 'Missing Authentication Token']
          : ['InvalidAction', 'Of the API of STS, only GetCallerIdentity is served here'];
      response.statusCode = 403;
      response.end(
        `<ErrorResponse xmlns="${NAMESPACE}"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`,
      );
      return;
    }
    response.end(
      `<GetCallerIdentityResponse xmlns="${NAMESPACE}"><GetCallerIdentityResult>` +
        `<Arn>arn:aws:iam::${ACCOUNT}:user/${user}</Arn><UserId>${user}</UserId><Account>${ACCOUNT}</Account>` +
        `</GetCallerIdentityResult></GetCallerIdentityResponse>`,
    );
  });
}

/** The access key of a signed request, which is not verified; undefined when it is not signed. */
function userOf({ headers }: IncomingMessage): string | undefined {
  return /^AWS4-HMAC-SHA256 Credential=([\w.-]+)\//.exec(headers.authorization ?? '')?.[1];
}
