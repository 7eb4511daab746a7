import { startPlatform } from '../../local/platform/platform';
import { Teardown } from '../../local/runtime/teardown';

type PlatformFact =
  | 'billingUrl'
  | 'endpoint'
  | 'mainUrl'
  | 'secondUrl'
  | 'signingSecret'
  | 'tilledEndpoint'
  | 'tilledSecret';

/** What the program sends: how to reach the platform once it is up, then each line of its activity. */
export type PlatformMessage = { readonly up: Readonly<Record<PlatformFact, string>> } | { readonly line: string };

/** What it is sent. `acceptKeys`: the keys that the stand-in of a provider takes from now on. */
export type PlatformCommand =
  | 'start consumers'
  | 'stop'
  | { readonly acceptKeys: 'stripe' | 'tilled'; readonly keys: readonly string[] };

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
    if (typeof command === 'object') {
      const standIn = command.acceptKeys === 'stripe' ? platform.stripe : platform.tilled.standIn;
      standIn?.acceptKeys(...command.keys);
    } else if (command === 'start consumers') platform.startConsumers();
    else void teardown.run().then(() => process.exit(0));
  });
  const { endpoint, signingSecret, databases, secondBilling, tilled } = platform;
  const [billingUrl, mainUrl, secondUrl] = [databases.billing.url, databases.main.url, secondBilling?.url ?? ''];
  const [tilledEndpoint, tilledSecret] = [tilled.endpoint, tilled.signingSecret];
  send({ up: { endpoint, signingSecret, billingUrl, mainUrl, secondUrl, tilledEndpoint, tilledSecret } });
}

void main();
