/** What `--version` prints. */
import { etcdVersion, quorateVersion } from "../base/version.js";

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
