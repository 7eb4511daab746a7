import { readFileSync } from 'node:fs';
import path from 'node:path';

const RUNBOOK = ['runbook.md', 'scenarios.md']
  .map((page) => readFileSync(path.join(__dirname, '../../docs', page), 'utf8'))
  .join('\n');

/** What the runbook's placeholders stand for. */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  '<user>': 'user_1',
  '<project>': 'project-1',
  '<report>': '20261121T061500Z-1f0c9a3e',
  '<migration>': '0001_create_identity',
  '<message>': '1f0c9a3e-2b4d-4c6e-8f01-23456789abcd',
  '<host>': 'db.example.com',
  '<instance>': 'db.example.com',
  '<second region>': 'eu-west-1',
  '<recovery point>': 'arn:aws:rds:eu-central-1:111111111111:snapshot:one',
};

/** The lines `ops …` of a text: in code spans, where a line break is a space, and in blocks of commands. */
export function opsLinesIn(text: string): string[] {
  const blocks = [...text.matchAll(/```bash\n([^`]+)```/g)].flatMap(([, block = '']) => block.split('\n'));
  const spans = [...text.replaceAll(/```[^`]*```/g, '').matchAll(/`(ops\s[^`]+)`/g)].map(([, span = '']) => span);
  return [
    ...blocks.map((line) => line.trim().replace(/\s+#.*$/, '')),
    ...spans.map((span) => span.replaceAll(/\s+/g, ' ')),
  ]
    .filter((line) => line.startsWith('ops '))
    .map((line) => line.replaceAll(/<[^>]+>/g, (placeholder) => PLACEHOLDERS[placeholder] ?? placeholder));
}

/** Every command of the runbook and of the scenarios, each once. */
export const RUNBOOK_LINES: readonly string[] = [...new Set(opsLinesIn(RUNBOOK))];

/** Splits a command line at spaces; a part in double quotes stays whole. */
export function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}
