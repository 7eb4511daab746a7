import { readFileSync } from 'node:fs';
import { setDefaultCACertificates } from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import { testServices } from './services';
import { SYNTHESIS_SETTINGS } from './synthesis-settings';

Object.assign(process.env, SYNTHESIS_SETTINGS);
// What a program prints is compared without colours, which a CI's environment (`CI`, `FORCE_COLOR`) turns on without a terminal.
process.env.NO_COLOR = '1';
delete process.env.FORCE_COLOR;
process.env.POWERTOOLS_DEV = 'false';
process.env.AWS_REGION = 'eu-central-1';
process.env.AWS_ACCESS_KEY_ID = 'test';
process.env.AWS_SECRET_ACCESS_KEY = 'test';

// pg_dump runs for half a second in a thread of its own: optimising its code takes longer than it saves.
setFlagsFromString('--liftoff-only');

// The test cluster speaks TLS with a certificate of its own authority, as RDS does; trust it as Lambda trusts Amazon's.
// Tests reach no other server, and parsing the usual authorities would cost each file 60 ms.
setDefaultCACertificates([readFileSync(testServices().cluster.caFile, 'utf8')]);
