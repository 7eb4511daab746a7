import type { LocalEnvironmentOptions } from '../../lib/config/built-environments';
import { secretArnOf } from '../postgres/secret-arn';
import { LOOPBACK } from '../runtime/ports';

/** Region in the ARNs of this machine; nothing in it is called. */
export const REGION = 'eu-central-1';

/**
 * What the template says in place of ports, which each start chooses anew: it stays the same from start to start. Nothing
 * listens on these ports.
 */
export const TEMPLATE_ADDRESSES: LocalEnvironmentOptions = {
  databases: {
    billing: { host: LOOPBACK, port: 1, databaseName: 'billing', secretArn: secretArnOf('billing', REGION) },
    main: { host: LOOPBACK, port: 2, databaseName: 'main', secretArn: secretArnOf('main', REGION) },
  },
  stripeApiBase: `http://${LOOPBACK}:3`,
  tilled: true,
  move: { host: LOOPBACK, port: 4, databaseName: 'billing', secretArn: secretArnOf('second-billing', REGION) },
};
