import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pgDump } from '@electric-sql/pglite-tools/pg_dump';

/**
 * Thread in which pg_dump runs, as WebAssembly. Its reads and writes are synchronous and a socket is not, so the thread
 * sleeps until the main thread has an answer. The file imports no other of the project: Node runs it as it is in tests.
 */

/** What the main thread starts the worker with. */
interface WorkerInput {
  readonly args: string[];
  /** Carries protocol messages to the main thread, and answers back. */
  readonly port: MessagePort;
  /** One counter, in shared memory: raised with each answer. */
  readonly answers: Int32Array<SharedArrayBuffer>;
}

/** The longest pause of a server that a query of pg_dump may cause is bounded there, so this only ends a lost thread. */
const ANSWER_TIMEOUT_MS = 10 * 60_000;
/** First line of the text of a dump. */
const DUMP = Buffer.from('--\n-- PostgreSQL database dump\n');

const { args, port, answers } = workerData as WorkerInput;
/** Unlike other ports, this one is emptied before the parent hears that the thread has ended. */
const results = parentPort;
let received = 0;

/**
 * Work after which V8 compiles a function of pg_dump once more, with its optimising compiler; its own choice is 13 million.
 * With that, the compiler takes longer than a dump of some hundred tables, and 25 MB. This leaves it to thousands of tables.
 */
const OPTIMISE_AFTER = 2_000_000_000;
setFlagsFromString(`--wasm-tiering-budget=${OPTIMISE_AFTER}`);

/** Sends bytes of the client to the main thread and sleeps until the server's answer to them is there. */
function exchange(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  // A view into pg_dump's memory, which it overwrites.
  const copy = bytes.slice();
  port.postMessage(copy, [copy.buffer]);
  awaitAnswer();
  received += 1;
  // Posted before the counter was raised.
  const answer: { readonly message: Uint8Array<ArrayBuffer> } | undefined = receiveMessageOnPort(port);
  if (!answer) throw new Error('the answer of the server was lost');
  return answer.message;
}

/**
 * Sleeps until the counter is raised. Waking up does not mean that it was: when the main thread pauses between raising and
 * notifying, this thread has seen the answer already, and the notification ends its next sleep.
 */
function awaitAnswer(): void {
  const untilMs = Date.now() + ANSWER_TIMEOUT_MS;
  while (Atomics.load(answers, 0) === received) {
    const leftMs = untilMs - Date.now();
    if (leftMs <= 0) throw new Error('the server did not answer');
    Atomics.wait(answers, 0, received, leftMs);
  }
}

/** The part of a PGlite that the package uses. */
const session = {
  query: async () => ({ rows: [{ search_path: "''" }] }),
  exec: async () => [],
  execProtocolRawStream(bytes: Uint8Array, { onRawData }: { readonly onRawData: (data: Uint8Array) => void }) {
    const answer = exchange(bytes);
    if (answer.length > 0) onRawData(answer);
    // It was copied. An answer may have many megabytes, and garbage outside of the heap is collected late.
    answer.buffer.transfer(0);
  },
};

/**
 * The bytes of the dump. The wrapper reads them as text, deletes lines from it, inside of function bodies too, and makes a
 * file of the rest: they are taken here before that, and the wrapper gets nothing that it could copy.
 */
let dump: Uint8Array<ArrayBuffer> | undefined;
globalThis.TextDecoder = class extends TextDecoder {
  override decode(...input: Parameters<InstanceType<typeof TextDecoder>['decode']>): string {
    const [bytes] = input;
    if (!(bytes instanceof Uint8Array) || !DUMP.equals(bytes.subarray(0, DUMP.length))) return super.decode(...input);
    // The wrapper's own copy of the file, of which nothing else knows.
    dump = bytes.byteLength === bytes.buffer.byteLength ? (bytes as Uint8Array<ArrayBuffer>) : bytes.slice();
    return '';
  }
};

type SetInput = Parameters<Uint8Array['set']>;

/** Bytes of a copy that are worth a collection, which takes some milliseconds in a thread as small as this one. */
const LARGE_COPY = 1 << 20;
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/**
 * The file in memory that pg_dump writes grows by a copy into a larger one. The former ones are garbage outside of the heap,
 * several times the dump together, and V8 lets that become 64 MB before it collects.
 */
const setBytes: (this: Uint8Array, ...input: SetInput) => void = Reflect.get(Uint8Array.prototype, 'set');
Object.assign(Uint8Array.prototype, {
  set(this: Uint8Array, ...input: SetInput) {
    setBytes.apply(this, input);
    if (input[0].length >= LARGE_COPY) collectGarbage();
  },
});

async function run(): Promise<void> {
  try {
    await pgDump({ pg: session as never, args });
    if (!dump)
      throw new Error('this version of @electric-sql/pglite-tools reads the text in a way that is not known here');
    results?.postMessage({ dump }, [dump.buffer]);
  } catch (error) {
    results?.postMessage({ failure: error instanceof Error ? error.message : String(error) }, []);
  }
  port.close();
}

void run();
