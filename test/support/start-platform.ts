import { startPlatform } from '../../local/platform/platform';
import { Teardown } from '../../local/runtime/teardown';

/** What the program sends: how to reach the platform once it is up, then each line of its activity. */
export type PlatformMessage =
  | { readonly up: Readonly<Record<'billingUrl' | 'endpoint' | 'mainUrl' | 'secondUrl' | 'signingSecret', string>> }
  | { readonly line: string };

/** What it is sent. */
export type PlatformCommand = 'start consumers' | 'stop';

/**
 * Program of the platform's test: runs the platform in the folder of its argument, in a process of its own because jest
 * cannot load the emulator's ES modules.
 */
async function main(): Promise<void> {
  const send = (message: PlatformMessage): void => void process.send?.(message);
  const print = (line: string): void => send({ line });
  const teardown = new Teardown();
  const [, , directory = '', ...flags] = process.argv;
  const options = { directory, secondServer: flags.includes('second-server'), log: print, print };
  const platform = await startPlatform(options, teardown);
  platform.activity.showAll();
  process.on('message', (command: PlatformCommand) => {
    if (command === 'start consumers') platform.startConsumers();
    else void teardown.run().then(() => process.exit(0));
  });
  const { endpoint, signingSecret, databases, secondBilling } = platform;
  const secondUrl = secondBilling?.url ?? '';
  send({ up: { endpoint, signingSecret, billingUrl: databases.billing.url, mainUrl: databases.main.url, secondUrl } });
}

void main();
