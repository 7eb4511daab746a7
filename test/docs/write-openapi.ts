import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createApp } from '../../lambdas/api/app';
import type { ApiDependencies } from '../../lambdas/api/dependencies';
import { openApiDocument } from '../../lambdas/api/document';

/** Writes `docs/openapi.json` again. The document is made of the routes alone, so the application needs nothing to work with. */
const app = createApp({ bitcoin: { network: 'mainnet', confirmations: 3 } } as ApiDependencies);
const file = path.resolve(__dirname, '../../docs/openapi.json');
writeFileSync(file, `${JSON.stringify(openApiDocument(app), null, 2)}\n`);
