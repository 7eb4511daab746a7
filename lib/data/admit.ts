import { Peer, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import type { AdmissionConfig } from '../config/network-settings';

/**
 * Admits applications, and people, to a server of the Data stack.
 *
 * @param server security group of the server
 * @param what the server, for the descriptions of the rules
 */
export function admit(
  server: SecurityGroup,
  port: number,
  { securityGroupIds, cidrs }: AdmissionConfig,
  what: string,
): void {
  for (const id of securityGroupIds) {
    server.addIngressRule(Peer.securityGroupId(id), Port.tcp(port), `Applications connect to ${what}`);
  }
  for (const range of cidrs) {
    server.addIngressRule(Peer.ipv4(range), Port.tcp(port), `Addresses of ${range} connect to ${what}`);
  }
}
