/**
 * Runs inside the process of one function: loads its bundle, then answers invocations, one at a time, over IPC. Node
 * runs this file as it is, as the bundles are run by Lambda: no loader between them and the runtime.
 *
 * Arguments: the bundle's folder and the handler, `file.export`.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Answer, ErrorDescription, Invocation } from './lambda-messages';

type Handler = (event: unknown, context: object) => unknown;

const [folder = '', handlerName = ''] = process.argv.slice(2);

function describe(error: unknown): ErrorDescription {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error), trace: [] };
  return { errorType: error.name, errorMessage: error.message, trace: error.stack?.split('\n') ?? [] };
}

function reply(message: Answer): void {
  process.send?.(message);
}

function loadHandler(): Handler {
  const [file = '', name = ''] = handlerName.split('.');
  const loaded = createRequire(import.meta.url)(join(folder, `${file}.js`)) as Record<string, unknown>;
  const handler = loaded[name];
  if (typeof handler !== 'function') throw new TypeError(`${handlerName} is undefined or not exported`);
  return handler as Handler;
}

function contextOf({ requestId, functionArn, deadlineMs }: Invocation): object {
  return {
    awsRequestId: requestId,
    callbackWaitsForEmptyEventLoop: true,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    invokedFunctionArn: functionArn,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
  };
}

async function invoke(handler: Handler, invocation: Invocation): Promise<void> {
  const { requestId } = invocation;
  try {
    const result = await handler(invocation.event, contextOf(invocation));
    reply({ kind: 'result', requestId, payload: result ?? null });
  } catch (error) {
    // As in Lambda, the log has the details that the answer to the caller leaves out.
    console.error(error);
    reply({ kind: 'error', requestId, ...describe(error) });
  }
}

// The parent ended, perhaps killed: there is no caller left, and no process to stop this one.
process.on('disconnect', () => process.exit(0));
// The group's Ctrl-C is for the parent, which stops its functions once they are idle.
process.on('SIGINT', () => undefined);

try {
  const handler = loadHandler();
  process.on('message', (invocation: Invocation) => void invoke(handler, invocation));
  reply({ kind: 'ready' });
} catch (error) {
  console.error(error);
  reply({ kind: 'unloadable', ...describe(error) });
}
