import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { dashboardPicture } from './dashboard-picture';

// Draws the dashboard again, after one of its widgets or an alarm's threshold changed.
process.env.CDK_VALIDATION = 'false';
writeFileSync(path.resolve(__dirname, '../../docs/dashboard.svg'), dashboardPicture());
