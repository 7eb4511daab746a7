import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(__dirname, '../..');

/** A TypeScript file of the repository; `path` is relative to its root. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

/** Every TypeScript file below a top-level folder. */
export function sourcesIn(folder: string): Source[] {
  return readdirSync(path.join(ROOT, folder), { recursive: true })
    .map(String)
    .filter((file) => /\.m?ts$/.test(file))
    .map((file) => path.posix.join(folder, file))
    .map((file) => ({ path: file, text: readFileSync(path.join(ROOT, file), 'utf8') }));
}

/** Paths, without extension, of the repository's own files that a file imports, types included. */
export function importsOf({ path: file, text }: Source): string[] {
  return [...text.matchAll(/(?:from|import|require)\s*\(?\s*'(\.[^']+)'/g)].map(([, target = '']) =>
    withoutExtension(path.posix.join(path.posix.dirname(file), target)),
  );
}

/** Names of the packages that a file imports, types included. */
export function packagesOf({ text }: Source): string[] {
  return [...text.matchAll(/(?<!')(?:from|import|require)\s*\(?\s*'([^'.][^']*)'/g)].map(([, name = '']) => name);
}

export function withoutExtension(file: string): string {
  return file.replace(/\.m?ts$/, '');
}
