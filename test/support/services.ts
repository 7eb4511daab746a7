/** The services that the run's global setup started; test files read them from the environment. */
export interface TestServices {
  readonly cluster: { host: string; port: number; user: string; password: string; caFile: string };
  /** S3 and SQS on loopback. */
  readonly awsEndpoint: string;
}

const VARIABLE = 'TEST_SERVICES';

/** Environment variable that names a folder for what tests synthesise once for the whole run. */
export const TEMPLATE_FOLDER_VARIABLE = 'TEST_TEMPLATE_FOLDER';

export function publishTestServices(services: TestServices): void {
  process.env[VARIABLE] = JSON.stringify(services);
}

export function testServices(): TestServices {
  const value = process.env[VARIABLE];
  if (!value) throw new Error(`${VARIABLE} is not set: tests run through jest, whose global setup starts the services`);
  return JSON.parse(value) as TestServices;
}
