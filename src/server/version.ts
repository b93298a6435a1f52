/** The versions that clients and operators are told. Imports nothing, so that `--version` answers at once. */

/** The etcd release whose protocol and behaviour this program offers. */
export const etcdVersion = "3.7.1";
/** Major and minor of the etcd release with patch 0: what members agree on as the version of a cluster. */
export const clusterVersion = "3.7.0";
/** Layout of the stored data, in etcd's numbering. */
export const storageVersion = "3.7.0";
/** Our own release, as in package.json. */
export const quorateVersion = "0.1.0";

const goArchitectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64", ppc64: "ppc64le" };

/** Go's name of this machine's architecture, as etcd prints it. */
export function architectureName(): string {
  return goArchitectures[process.arch] ?? process.arch;
}

/** What `--version` prints; scripts read the first line. */
export function versionText(): string {
  return [
    `etcd Version: ${etcdVersion}`,
    "Git SHA: not provided",
    `Go Version: none (Node.js ${process.version})`,
    `Go OS/Arch: ${process.platform}/${architectureName()}`,
    `Quorate Version: ${quorateVersion}`,
    "",
  ].join("\n");
}
