import { listenersOf } from '../runtime/listeners';
import { check } from './check';
import type { Step } from './steps';

/** Checks the listening sockets that the operating system reports. */
export const listenOnLoopback: Step = {
  title: 'Nothing listens beyond loopback',
  async run({ platform }, tell) {
    const servers = Object.values(platform.databases).map(({ cluster }) => cluster.pid);
    const listeners = listenersOf([process.pid, ...servers]);
    if (listeners === undefined) {
      tell(`not checked: ${process.platform} does not report it without further tools`);
      return;
    }
    const open = listeners.filter(({ loopback }) => !loopback);
    check(open.length === 0, `ports open to the network: ${open.map(({ port }) => port).join(', ')}`);
    const endpointPort = Number(new URL(platform.endpoint).port);
    const expected = [endpointPort, ...Object.values(platform.databases).map(({ cluster }) => cluster.port)];
    const unseen = expected.filter((port) => !listeners.some((listener) => listener.port === port));
    check(
      unseen.length === 0,
      `ports that we listen on were not found, so the check proves nothing: ${unseen.join(', ')}`,
    );
    tell(`${listeners.length} listening sockets, each on 127.0.0.1`);
  },
};
