/** Shapes of the Docker Engine API for networks. https://docs.docker.com/reference/api/engine/ */
import type { EndpointConfig } from './container.ts';

export interface IpamPool {
  Subnet?: string;
  IPRange?: string;
  Gateway?: string;
  AuxiliaryAddresses?: Record<string, string>;
}

/** Body of POST /networks/create */
export interface NetworkCreateBody {
  Name: string;
  /** Without meaning since API 1.44: names are unique. */
  CheckDuplicate?: boolean;
  Driver?: string;
  Internal?: boolean;
  Attachable?: boolean;
  EnableIPv6?: boolean;
  IPAM?: { Driver?: string; Options?: Record<string, string>; Config?: IpamPool[] };
  Options?: Record<string, string>;
  Labels?: Record<string, string>;
}

/** GET /networks/{id}, and one row of GET /networks */
export interface NetworkInspect {
  Name: string;
  Id: string;
  Created: string;
  Scope: string;
  Driver: string;
  EnableIPv6: boolean;
  IPAM: { Driver: string; Options: Record<string, string> | null; Config: IpamPool[] | null };
  Internal: boolean;
  Attachable: boolean;
  Ingress: boolean;
  ConfigFrom: { Network: string };
  ConfigOnly: boolean;
  Containers: Record<
    string,
    { Name: string; EndpointID: string; MacAddress: string; IPv4Address: string; IPv6Address: string }
  >;
  Options: Record<string, string>;
  Labels: Record<string, string>;
}

/** POST /networks/prune */
export interface NetworksPruned {
  NetworksDeleted: string[] | null;
}

/** Body of POST /networks/{id}/connect */
export interface NetworkConnectBody {
  Container: string;
  EndpointConfig?: EndpointConfig;
}
