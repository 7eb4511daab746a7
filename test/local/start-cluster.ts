import { startCluster } from '../../local/postgres/cluster';

/** Program of the cluster tests: starts a cluster in the folder of its argument, reports its process, and stays up. */
const [directory = ''] = process.argv.slice(2);
void startCluster({ directory, durable: false }).then(({ pid }) => process.send?.(pid));
