import type { IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { requestUrl } from '../runtime/http-server';
import { installedPackage } from '../runtime/installed-package';
import { LOOPBACK } from '../runtime/ports';

/** S3 and SQS on loopback, in memory. A condition of `PutObject` holds. What it does not enforce (locks, sizes, checksums) it cannot prove. */
export interface ObjectStoreAndQueue {
  /** Endpoint of both services, for `AWS_ENDPOINT_URL_S3` and `AWS_ENDPOINT_URL_SQS`. */
  readonly endpoint: string;
  /** Closes connections, drops the state and resolves when the port is free. */
  stop(): Promise<void>;
}

/** Account in the URL of each queue; the emulator checks only the queue's name. */
export const QUEUE_ACCOUNT = '000000000000';

type Emulator = typeof import('fauxqs');
type Stores = NonNullable<NonNullable<Parameters<Emulator['buildApp']>[0]>['stores']>;

/** The part of Fastify's reply that is used here; its types resolve only inside its own package. */
interface Reply {
  code(status: number): { send(text: string): PromiseLike<unknown> };
}

/**
 * Loads a file of the emulator by its path: its `exports` know ES modules only, while jest compiles `import()` to
 * `require()`, which Node resolves with other conditions but is able to load.
 */
function loadFile(file: string): unknown {
  const folder = installedPackage('fauxqs');
  if (folder === undefined) throw new Error('Package fauxqs is not installed (npm ci).');
  return createRequire(__filename)(join(folder, file));
}

/** Any character that SQS refuses in a message. */
// oxlint-disable-next-line no-control-regex -- tab, line feed and carriage return are the control characters it takes
const REFUSED_CHARACTER = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u;

/**
 * The emulator's alphabet lacks U+10000 to U+10FFFF (emoji, rare ideographs), which SQS takes. Its expression is replaced in
 * place, as its modules share that one object.
 *
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
 */
function completeAlphabet(): void {
  const { INVALID_MESSAGE_BODY_CHAR: expression } = loadFile('dist/sqs/sqsTypes.js') as {
    readonly INVALID_MESSAGE_BODY_CHAR: RegExp;
  };
  expression.test = (message) => REFUSED_CHARACTER.test(message);
}

/**
 * Status and code by which S3 refuses a `PutObject` whose condition does not hold: the emulator itself ignores conditions.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
function refusalOf(
  { method, url = '', headers }: IncomingMessage,
  objects: Stores['s3Store'],
): [number, string] | undefined {
  const { 'if-match': match, 'if-none-match': noneMatch } = headers;
  if (method !== 'PUT' || (match === undefined && noneMatch === undefined)) return undefined;
  const [bucket = '', ...key] = new URL(url, 'http://s3').pathname.slice(1).split('/').map(decodeURIComponent);
  const etag = etagOf(objects, bucket, key.join('/'));
  if (match !== undefined && etag === undefined) return [404, 'NoSuchKey'];
  if ((match !== undefined && match !== etag) || (noneMatch === '*' && etag !== undefined))
    return [412, 'PreconditionFailed'];
  return undefined;
}

function etagOf(objects: Stores['s3Store'], bucket: string, key: string): string | undefined {
  try {
    return objects.headObject(bucket, key).etag;
  } catch {
    return undefined;
  }
}

/** Starts S3 and SQS. Not with the package's own `startFauxqs`, as that listens on every interface. */
export async function startObjectStoreAndQueue(): Promise<ObjectStoreAndQueue> {
  completeAlphabet();
  const { S3Store } = loadFile('dist/s3/s3Store.js') as { readonly S3Store: new () => Stores['s3Store'] };
  const s3Store = new S3Store();
  const app = (loadFile('dist/app.js') as Emulator).buildApp({ logger: false, stores: { s3Store } as Stores });
  app.addHook('onRequest', async ({ raw }: { raw: IncomingMessage }, reply: Reply) => {
    if (requestUrl(raw) === undefined) await reply.code(400).send('Bad Request');
  });
  // Once the body has arrived: the handler follows at once, so that no other write comes between.
  app.addHook('preHandler', async ({ raw }: { raw: IncomingMessage }, reply: Reply) => {
    const [status, code] = refusalOf(raw, s3Store) ?? [];
    if (status !== undefined)
      await reply.code(status).send(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
  });
  await app.listen({ host: LOOPBACK, port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return {
    endpoint: `http://${LOOPBACK}:${port}`,
    async stop() {
      await app.close();
    },
  };
}
