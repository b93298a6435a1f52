/** The versions that clients, members and operators are told. Imports nothing, so that `--version` answers at once. */

/** The etcd release whose protocol and behaviour this program offers. */
export const etcdVersion = "3.7.1";
/** That release with patch 0: what members agree on as the version of their cluster. */
export const clusterVersion = "3.7.0";
/** Layout of the stored data, in etcd's numbering. */
export const storageVersion = "3.7.0";
/** Our own release, as in package.json. */
export const quorateVersion = "0.1.0";
