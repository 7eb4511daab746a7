import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

function folderAbove(folder: string): string {
  return existsSync(join(folder, 'cdk.json')) ? folder : folderAbove(dirname(folder));
}

/** Folder of the checkout: the nearest with the settings of the CDK above this file, or above the bundle that has it. */
export const CHECKOUT = folderAbove(__dirname);
