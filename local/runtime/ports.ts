import { createServer, type AddressInfo } from 'node:net';

/** The address that everything of the local platform listens on, but for a copy of a cluster. */
export const LOOPBACK = '127.0.0.1';
/** Other addresses of the same machine: the first is there on Linux, the second with IPv6, as on macOS. */
export const OTHER_LOOPBACKS = ['127.0.0.2', '::1'] as const;

/**
 * Another address of this machine on which a port is free.
 *
 * @throws with what to do when there is none
 */
export async function otherLoopback(port: number): Promise<string> {
  for (const host of OTHER_LOOPBACKS) if (await isFree(host, port)) return host;
  throw new Error(
    `Neither ${OTHER_LOOPBACKS.join(' nor ')} can be listened on at port ${port}. On macOS: sudo ifconfig lo0 alias ${OTHER_LOOPBACKS[0]}`,
  );
}

async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

/** A port that is free now. Another program may take it first; the caller then tries again. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, LOOPBACK, resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  return port;
}
