import * as z from 'zod';

/** Name of the file in the folder of the platform. */
export const PLATFORM_FILE = 'platform.json';

/** Where the running platform listens: written by `npm start`, read by `ops --env local`. */
export const platformFile = z.strictObject({
  environment: z.string().describe('Name of the environment, as in the names of its functions.'),
  region: z.string(),
  startedAt: z.iso.datetime(),
  process: z.strictObject({ pid: z.int().positive(), startedAt: z.string() }),
  endpoints: z
    .strictObject({
      cloudWatch: z.url(),
      cloudWatchLogs: z.url(),
      lambda: z.url(),
      s3: z.url(),
      secretsManager: z.url(),
      sqs: z.url(),
      stepFunctions: z.url(),
      sts: z.url(),
    })
    .describe('For `AWS_ENDPOINT_URL_<SERVICE>`; any credentials are accepted.'),
  apiUrl: z.url().describe('Base URL of the API.'),
  webhookUrl: z.url().describe("Where Stripe's events are sent to."),
});

export type PlatformFile = Readonly<z.infer<typeof platformFile>>;
