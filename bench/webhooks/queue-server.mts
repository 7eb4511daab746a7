/**
 * The least that answers SQS's SendMessage, in a process of its own so that it does not share the core of the function
 * that is measured. Tells its port to its parent and ends with it.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { MessageBody } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { MessageBody: string };
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' });
    // The SDK compares the hash.
    const hash = createHash('md5').update(MessageBody).digest('hex');
    response.end(JSON.stringify({ MessageId: randomUUID(), MD5OfMessageBody: hash }));
  });
});
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));
