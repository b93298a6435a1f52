/**
 * The address of this machine that its default route leaves by: what a member advertises that listens on every
 * interface and was not told its address. Linux only; elsewhere undefined.
 */
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";

export function findDefaultHost(): string | undefined {
  let routes: string;
  try {
    routes = readFileSync("/proc/net/route", "utf8");
  } catch {
    return undefined;
  }
  // Columns: interface, destination, gateway, flags, …; destination 0 is the default route.
  const route = routes
    .split("\n")
    .map((line) => line.split("\t"))
    .find((columns) => columns[1] === "00000000");
  const addresses = route === undefined ? undefined : networkInterfaces()[route[0]!];
  return addresses?.find((address) => address.family === "IPv4")?.address;
}
