import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { PlatformFile } from '../../local/platform/contract';

/** Writes the file of a local platform of which one server answers everything. */
export function writePlatformFile(folder: string, url: string, owner: PlatformFile['process']): void {
  const file: PlatformFile = {
    environment: 'local',
    region: 'eu-central-1',
    startedAt: new Date().toISOString(),
    process: owner,
    endpoints: {
      cloudWatch: url,
      cloudWatchLogs: url,
      lambda: url,
      s3: url,
      secretsManager: url,
      sqs: url,
      stepFunctions: url,
      sts: url,
    },
    apiUrl: url,
    webhookUrl: url,
  };
  writeFileSync(path.join(folder, 'platform.json'), JSON.stringify(file));
}
