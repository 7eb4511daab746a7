import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { Worker } from 'node:worker_threads';

export interface CacheServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Takes most of a second to start: a file starts one, and empties it for each test. */
export interface EmptiableCacheServer extends CacheServer {
  empty(): Promise<void>;
}

/**
 * Runs one script, so that the first one of a test does not wait for the interpreter, says where it listens, and empties
 * itself when told.
 */
const SERVER = `
const { parentPort } = require('node:worker_threads');
const { createClient } = require('@redis/client');
const { createRedisMock } = require('js-redis-server');
(async () => {
  const server = await createRedisMock();
  const [{ host, port }] = server.addresses();
  const url = 'redis://' + host + ':' + port;
  const client = createClient({ url });
  await client.connect();
  await client.eval('return 1');
  parentPort.on('message', () => client.flushAll().then(() => parentPort.postMessage('emptied')));
  parentPort.postMessage(url);
})()`;

/** A Redis server on loopback, empty. In a thread of its own: its interpreter of scripts does not run inside jest. */
export async function startCacheServer(): Promise<EmptiableCacheServer> {
  const thread = new Worker(SERVER, { eval: true });
  // `once` of node:events takes its listeners for both off again.
  const answer = async (): Promise<string> => ((await once(thread, 'message')) as [string])[0];
  return {
    url: await answer(),
    async empty() {
      const emptied = answer();
      thread.postMessage('empty', []);
      await emptied;
    },
    close: async () => {
      await thread.terminate();
    },
  };
}

interface SilentServer extends CacheServer {
  readonly connections: () => number;
  /** Resolves once the server knows of a connection. */
  readonly connected: () => Promise<void>;
}

/** Accepts connections and never says anything, as a server behind a broken network does. */
export async function startSilentServer(): Promise<SilentServer> {
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => sockets.length,
    connected: async () => {
      if (sockets.length === 0) await once(server, 'connection');
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

/** Forwards connections to another server, and cuts them on request. */
export async function startRelay(to: string): Promise<CacheServer & { cut(): void }> {
  const { hostname, port } = new URL(to);
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    const upstream = net.connect(Number(port), hostname);
    for (const end of [socket, upstream]) {
      sockets.add(end);
      end.on('error', () => undefined).on('close', () => sockets.delete(end));
    }
    socket.pipe(upstream).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    close: () => {
      cut();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

/** Answers OK to every command, and keeps them, each with its arguments. */
export async function startRecordingServer(): Promise<CacheServer & { readonly commands: readonly string[][] }> {
  const commands: string[][] = [];
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => {
    sockets.push(socket);
    socket.on('data', (data) => {
      // `*2 $3 GET $3 key`, line by line; none of the commands is split over two packets on loopback.
      const sent = data
        .toString()
        .split(/^\*\d+\r\n/m)
        .filter((text) => text !== '')
        .map((text) => text.split('\r\n').filter((line, index) => index % 2 === 1 && line !== ''));
      commands.push(...sent);
      socket.write('+OK\r\n'.repeat(sent.length));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    commands,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
