import type { Surroundings } from './context';
import { CommandError } from './errors';

const CTRL_C = '\u{3}';
const CTRL_D = '\u{4}';
const BACKSPACES = ['\u{7f}', '\b'];

/** Reads a line without echo at a terminal; all of the standard input where there is none. */
export async function readSecret(
  { stdin, stderr }: Pick<Surroundings, 'stdin' | 'stderr'>,
  prompt: string,
): Promise<string> {
  if (!stdin.isTTY) {
    let text = '';
    for await (const chunk of stdin) text += String(chunk);
    return text;
  }
  stderr.write(prompt);
  stdin.setRawMode(true);
  stdin.resume();
  try {
    return await typedLine(stdin);
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write('\n');
  }
}

function typedLine(stdin: NodeJS.ReadStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let typed = '';
    const onData = (chunk: Buffer): void => {
      for (const key of chunk.toString('utf8')) {
        if (key === '\r' || key === '\n' || key === CTRL_D) {
          stdin.off('data', onData);
          resolve(typed);
          return;
        }
        if (key === CTRL_C) {
          stdin.off('data', onData);
          reject(new CommandError('refused', 'Nothing was changed: no secret was typed'));
          return;
        }
        typed = BACKSPACES.includes(key) ? typed.slice(0, -1) : typed + key;
      }
    };
    stdin.on('data', onData);
  });
}
