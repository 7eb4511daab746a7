import { readdirSync } from 'node:fs';
import path from 'node:path';

/** Every metric of the functions' contracts, with the function that publishes it. */
export function contractMetrics(): { readonly stem: string; readonly name: string }[] {
  const folder = path.join(__dirname, '../../../lambdas');
  return readdirSync(folder).flatMap((stem) => {
    if (!readdirSync(path.join(folder, stem)).includes('contract.ts')) return [];
    const contract = jest.requireActual<Record<string, unknown>>(path.join(folder, stem, 'contract'));
    return Object.entries(contract).flatMap(([exported, value]) =>
      exported.endsWith('_METRICS')
        ? Object.values(value as Record<string, string>).map((name) => ({ stem, name }))
        : [],
    );
  });
}
