import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Of the page's own: beside this file, and beside the bundle that it becomes part of. */
const FOLDER = path.join(__dirname, 'assets');

/** A file that the page loads. @throws when the bundle lacks it */
export function readAsset(name: 'page.js' | 'style.css'): string {
  return readFileSync(path.join(FOLDER, name), 'utf8');
}
