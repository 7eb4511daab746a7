import { createServer, type AddressInfo } from 'node:net';

/** The only address that anything of the local platform listens on. */
export const LOOPBACK = '127.0.0.1';

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
