import { readBody, startHttpServer, type HttpServer } from '../runtime/http-server';

/** The one change of an instance that is carried out here. */
export interface RdsOptions {
  /** Gives the master user of an instance a password. @throws InstanceNotFound */
  readonly setPassword: (identifier: string, password: string) => Promise<void>;
}

/** No instance has the identifier. */
export class InstanceNotFound extends Error {
  constructor(identifier: string) {
    super(`DBInstance ${identifier} not found.`);
  }
}

const MAX_REQUEST_BYTES = 64 * 1024;

/**
 * Serves what a function asks of RDS about the copy of a cluster that stands for a restored instance: to set its password. RDS
 * speaks the query protocol: a form in, XML out.
 */
export function startRds({ setPassword }: RdsOptions): Promise<HttpServer> {
  return startHttpServer(async (request, response) => {
    const form = new URLSearchParams((await readBody(request, MAX_REQUEST_BYTES))?.toString('utf8'));
    const [action, identifier, password] = ['Action', 'DBInstanceIdentifier', 'MasterUserPassword'].map(
      (name) => form.get(name) ?? '',
    ) as [string, string, string];
    const answer = (status: number, xml: string): void => {
      response.writeHead(status, { 'content-type': 'text/xml' });
      response.end(xml);
    };
    const refuse = (status: number, code: string, message: string): void =>
      answer(
        status,
        `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${escaped(message)}</Message></Error></ErrorResponse>`,
      );
    if (action !== 'ModifyDBInstance' || password === '') {
      refuse(400, 'InvalidAction', 'This stand-in for RDS has ModifyDBInstance with a MasterUserPassword alone.');
      return;
    }
    try {
      await setPassword(identifier, password);
    } catch (error) {
      const isUnknown = error instanceof InstanceNotFound;
      const code = isUnknown ? 'DBInstanceNotFound' : 'InternalFailure';
      refuse(isUnknown ? 404 : 500, code, (error as Error).message);
      return;
    }
    const instance = `<DBInstance><DBInstanceIdentifier>${escaped(identifier)}</DBInstanceIdentifier></DBInstance>`;
    answer(
      200,
      `<ModifyDBInstanceResponse><ModifyDBInstanceResult>${instance}</ModifyDBInstanceResult></ModifyDBInstanceResponse>`,
    );
  });
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
