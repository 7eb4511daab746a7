import { synthesise } from '../local/platform/synthesise';

// Program of the local platform: writes the assembly of this machine's environment into the folder that is named.
const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('Usage: synthesise-local.ts <folder of the assembly>');
synthesise(folder);
