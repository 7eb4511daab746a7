import { runProgram } from '../ops/program';

// A reader that is gone, as in `ops … | head`, has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

async function main(): Promise<void> {
  const { stdin, stdout, stderr, env } = process;
  // Not `process.exit`, which would cut off what a pipe has not taken yet.
  process.exitCode = await runProgram(process.argv.slice(2), { stdin, stdout, stderr, environment: env });
}

void main();
